/** What the elements of the page are made with: the build imports it into each file that has some. */
export { Fragment, h } from "preact";
