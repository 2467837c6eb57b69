/** The default theme with the fonts of the reader's machine, and the front page's story. */
import DefaultTheme from 'vitepress/theme-without-fonts'
import TokenStory from './TokenStory.vue'
import './theme.css'

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }) => app.component('TokenStory', TokenStory),
}
