import { RudderAnalytics } from '@rudderstack/analytics-js/bundled';

const analytics = new RudderAnalytics();
window.senderReady = new Promise((ready) => {
  analytics.load('key-of-the-source', window.collector, {
    configUrl: window.collector,
    getSourceConfig: () => ({
      source: {
        id: 'source', name: 'shop', writeKey: 'key-of-the-source', enabled: true,
        workspaceId: 'workspace', config: {}, connections: [], destinations: [], dataplanes: {},
        sourceDefinition: { name: 'Javascript' },
      },
    }),
  });
  analytics.ready(ready);
});
window.sendCapture = (capture) => analytics.track('Payment', capture);
