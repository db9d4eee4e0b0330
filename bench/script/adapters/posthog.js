import posthog from 'posthog-js';

window.senderReady = new Promise((loaded) => {
  posthog.init('key', {
    api_host: window.collector, loaded, autocapture: false, capture_pageview: false,
    capture_pageleave: false, disable_session_recording: true, disable_surveys: true,
    advanced_disable_flags: true, disable_external_dependency_loading: true,
    disable_compression: true, opt_out_useragent_filter: true,
  });
});
window.sendCapture = (capture) => void posthog.capture('Payment', capture);
