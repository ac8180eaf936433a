import type { Handler } from '@millrace/server';
declare const handler: Handler;
export default handler;
