/** The default theme, with the fonts of the reader's machine. */
import DefaultTheme from 'vitepress/theme-without-fonts'

export default DefaultTheme
