/*
 * Loads the page's modules after the first paint, so that they do not compete with it. All that can
 * be read stands in page.html. The server lists the modules there, so that none has to wait until
 * another one has named it.
 */

requestAnimationFrame(() => setTimeout(load))

function load(): void {
  for (const href of document.documentElement.dataset['modules']?.split(' ') ?? []) {
    const link = document.createElement('link')
    link.rel = 'modulepreload'
    link.href = href
    document.head.append(link)
  }
  void import('./page.ts')
}
