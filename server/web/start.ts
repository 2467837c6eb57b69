/*
 * Loads the page's modules after the first paint, so that they do not compete with it. All that can
 * be read stands in page.html.
 */

requestAnimationFrame(() => setTimeout(() => void import('./page.ts')))
