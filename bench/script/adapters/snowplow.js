import { newTracker, trackSelfDescribingEvent } from '@snowplow/browser-tracker';

newTracker('bench', window.collector, { appId: 'shop', encodeBase64: false });
window.sendCapture = (data) => trackSelfDescribingEvent({
  event: { schema: 'iglu:com.example/payment/jsonschema/1-0-0', data },
});
window.senderReady = Promise.resolve();
