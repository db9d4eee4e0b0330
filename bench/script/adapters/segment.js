import { AnalyticsBrowser } from '@segment/analytics-next';

const { host } = new URL(window.collector);
const analytics = AnalyticsBrowser.load(
  { writeKey: 'key', cdnSettings: { integrations: { 'Segment.io': { apiKey: 'key' } } } },
  { integrations: { 'Segment.io': { apiHost: `${host}/v1`, protocol: 'http' } } },
);
window.sendCapture = (capture) => void analytics.track('Payment', capture);
window.senderReady = analytics.ready();
