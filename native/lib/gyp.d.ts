/** Folders to search for headers: the core's and node-addon-api's. As are all here, for gyp's `<!@(…)`. */
export const includeDirs: string;
export const defines: string;
/** Flags for `cflags_cc`. */
export const compile: string;
/** Flags for `ldflags`. */
export const link: string;
