/**
 * The prebuilt ES modules of BokehJS.
 *
 * Its `lib/` is published with native class fields, which reset what constructors have set (bokeh#13864), so only the
 * prebuilt bundles work; they come without types, and these say where the types are.
 */
declare module '@bokeh/bokehjs/build/js/bokeh.esm.min.js' {
  const Bokeh: typeof import('@bokeh/bokehjs/build/js/lib/main') &
    typeof import('@bokeh/bokehjs/build/js/lib/api/index');
  export default Bokeh;
}
declare module '@bokeh/bokehjs/build/js/bokeh-api.esm.min.js';
