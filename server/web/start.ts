/*
 * Loads the page's script after the first paint, so that it does not compete with it. All that can
 * be read stands in page.html.
 */

requestAnimationFrame(() => setTimeout(() => import('./page.ts')))
