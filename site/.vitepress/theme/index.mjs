/** The default theme with the fonts of the reader, the front page's story, and the versions. */
import DefaultTheme from 'vitepress/theme-without-fonts'
import TokenStory from './TokenStory.vue'
import VersionMenu from './VersionMenu.vue'
import './theme.css'

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }) => app.component('TokenStory', TokenStory).component('VersionMenu', VersionMenu),
}
