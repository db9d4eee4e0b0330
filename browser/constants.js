/**
 * Names, times and limits.
 *
 * What a page saves may be a stranger's, so all work is bounded. Numbers stand in this one module,
 * at the top of the built file, where minifiers replace them by their values.
 */

/**
 * The name of the database, its object store, the localStorage item and the lock.
 * Visitors' browsers hold queues under it, so it never changes.
 */
export const NAME = 'enhanced-data-capture';

export const VERSION = '0.1.0';

// Where a signal comes from, the richest source first: its members win when sources merge.
export const API = 0;
export const CALL = 1;
export const REQUEST = 2;
export const STORAGE_KEY = 3;
export const FORM = 4;

// When signals are processed.
export const NOT_SCHEDULED = 0;
export const DELAYED = 1;
export const IMMEDIATE = 2;

// Times of the page.
export const SLICE_MS = 25; // of work without a pause; browsers call 50 ms a long task
export const POLL_MS = 1000; // between looks at what gave no event
export const USER_MS = 250; // between looks at who is signed in
export const REWRITE_MS = 200; // between looks at a key that the page rewrites all the time
export const ACTION_MS = 5000; // in which signals belong to one user action
export const RESPONSE_MS = 10000; // in which a capture waits for the responses of its requests
export const QUIET_MS = 1000; // in which a capture waits for the next signal of its action
export const REPEAT_MS = 10000; // in which the same save is a repetition
export const DAY_MS = 24 * 60 * 60 * 1000; // in which a payment's receipt is no new payment

// Times of storage and delivery.
export const OPEN_MS = 2000; // for the database, which may hang
export const TIMEOUT_MS = 10000; // for a request, and for another tab that delivers
export const MIN_BYTES_PER_MS = 32; // of the slowest uplink that is waited for
export const MIN_DELAY_MS = 1000; // before the second try
export const MAX_DELAY_MS = 5 * 60 * 1000;
export const MAX_RETRY_AFTER_MS = 60 * 60 * 1000; // whatever the service asks for
export const MAX_AGE_MS = 7 * 24 * 60 * 60 * 1000; // of a capture that is not accepted

// Limits of one save.
export const MAX_MATCHED_CHARACTERS = 2000; // with patterns of sites, which may be slow
export const MAX_SAVE_CHARACTERS = 2e7; // the service accepts no larger body
export const MAX_BINARY_BYTES = 1e6; // of a body that is no text: it is copied to be read
export const MAX_MEMBERS = 1e6; // at all depths; a trade has about 16
export const MAX_USER_CHARACTERS = 1e5; // of a text in which a user is looked for
export const MAX_NUMBERS = 50; // of payments, found in a text
export const MAX_TEXT_CHARACTERS = 1e6; // handled at once; of more, parts are
export const MAX_NAMES = 1000; // of members, remembered whether they are secrets
export const MIN_CARD_NUMBER = 1e12; // smaller numbers are none

// Limits of captures and of the queue.
export const MAX_OPEN = 50; // captures that are being merged
export const MAX_PARTS = 20; // of a capture
export const MAX_EARLIER = 100; // texts, to find repetitions
export const MAX_PAID = 200; // payments that are remembered
export const MAX_LEFT = 50; // users who signed out
export const MAX_QUEUE_COUNT = 1000;
export const MAX_QUEUE_BYTES = 24e6;
export const RECORD_BYTES = 40; // of a record besides its text
export const SMALL_CHARACTERS = 60000; // of localStorage: when full, the page's own setItem throws
export const MIN_FREE_CHARACTERS = 4 * 60000; // without which nothing is stored there
export const MAX_BATCH_COUNT = 100;
export const MAX_BATCH_BYTES = 5e5;
export const MAX_KEEPALIVE_BYTES = 24000; // of the 64 KiB that all of a page's requests share

export const DEFAULT_PORT = 5003;
