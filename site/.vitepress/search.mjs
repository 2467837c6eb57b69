/** Renders a page without the colors of its code: the index has no use for them. */
function renderPlain(md, source, env) {
  const { highlight } = md.options
  md.options.highlight = (code) => `<pre>${md.utils.escapeHtml(code)}</pre>`
  try {
    return md.render(source, env)
  } finally {
    md.options.highlight = highlight
  }
}

/** The local search: its index is a part of the site, and each section of a page is a hit. */
export const search = {
  provider: 'local',
  options: {
    detailedView: false,
    miniSearch: {
      searchOptions: {
        fuzzy: (term) => (term.length > 5 ? 0.2 : false),
        prefix: true,
        boost: { title: 6, text: 1, titles: 2 },
        // VitePress sends this function to the browser as text: it may use nothing from outside.
        boostDocument: (id) => {
          if (/\/(?:start|getting-started|guide|recipes|from-)/.test(id)) return 2
          return /\/(?:reference\/api|decisions|project|security)\//.test(id) ? 0.4 : 1
        },
      },
    },
    _render(source, env, md) {
      if (env.frontmatter?.search === false) return ''
      const html = renderPlain(md, source, env)
      if (env.frontmatter?.search === false) return ''
      // In the reference only exports are hits, not the headings "Parameters" and "Returns" below.
      return env.relativePath?.startsWith('reference/api/') ? html.replace(/<(\/?)h[456]/g, '<$1p') : html
    },
  },
}
