/** BokehJS itself, with its plotting API; 1.4 MB, so everything in this folder is loaded by `import()`. */
import Bokeh from '@bokeh/bokehjs/build/js/bokeh.esm.min.js';
import '@bokeh/bokehjs/build/js/bokeh-api.esm.min.js';

export default Bokeh;
