'use client';

import { useEffect } from 'react';

/** Tells the test that React responds to clicks: before that, the browser submits the forms. */
export default function Ready() {
  useEffect(() => {
    document.documentElement.dataset.ready = 'yes';
  }, []);
  return null;
}
