import {
  captureEvent, init, makeBrowserOfflineTransport, makeFetchTransport,
} from '@sentry/browser';

const { host } = new URL(window.collector);
init({ dsn: `http://key@${host}/1`, transport: makeBrowserOfflineTransport(makeFetchTransport) });
window.sendCapture = (capture) => {
  captureEvent({ message: capture.transaction_id, extra: capture });
};
window.senderReady = Promise.resolve();
