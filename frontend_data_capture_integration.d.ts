/** What window.enhancedDataCapture and its settings are. Every call returns a promise that never rejects. */

export type CaptureKind = "payment" | "questionnaire" | "dashboard" | "activity";

/**
 * What means a save. `call` is a function's name on window; the others are sources of regular expressions (case-insensitive), which
 * see at most 2,000 characters. A rule that can't be compiled, or of another kind, is left out.
 */
export interface CaptureRule {
  /** By which `without` takes it out; its kind, if there is none. */
  name?: string;
  kind: CaptureKind;
  call?: string;
  /** The address of a POST, PUT or PATCH, without its query. */
  url?: string;
  /** Addresses that `url` does not mean. */
  not?: string;
  /** The request's body; of several rows or GraphQL operations, each. */
  body?: string;
  /** A key of localStorage or sessionStorage; its first group, if any, is the person's address. */
  key?: string;
  /** A form's opening tag. */
  form?: string;
  /** The path to the save in a body, such as `variables.input`; for a key, the member under which it goes. */
  under?: string;
  /** New names of members. */
  as?: Record<string, string>;
}

/** window.enhancedDataCaptureConfig, a plain object, set before the script; or the tag's data- attributes. Only own members count. */
export interface EnhancedDataCaptureConfig {
  /** Where the capture service is, for a script that is not loaded from it: http or https. */
  endpoint?: string | URL;
  /** Further addresses that stand for nobody; between slashes, patterns of them. */
  placeholders?: (string | RegExp)[] | string;
  /** Where the page keeps who is signed in: a storage key, a cookie or the path of a global. */
  person?: string;
  enabled?: boolean;
  consent?: "required";
  /** More rules; as an attribute, JSON. */
  rules?: CaptureRule[] | string;
  /** Names of rules to leave out: payment, crypto, questionnaire, dashboard, trading-state, dashboard-data. */
  without?: string[] | string;
  debug?: boolean;
}

export interface EnhancedDataCapturePerson {
  email: string;
  name?: string;
  id?: number | string;
}

/** The service's answer; or `queued`, when it has to wait. */
export interface CaptureAnswer {
  success: boolean;
  queued?: boolean;
  capture_id?: string;
  error?: string;
  [member: string]: unknown;
}

export interface UndeliveredCapture {
  capture_id: string;
  kind: CaptureKind;
  /** HTTP status of the refusal. */
  status: number;
  reason: string;
}

export interface EnhancedDataCaptureStatus {
  success: boolean;
  enabled: boolean;
  consent: boolean;
  /** Calls, requests, writes and forms of this page that a rule took. */
  seen: number;
  /** Captures that this page made of them. */
  captured: number;
  /** Captures that the service accepted from this page. */
  delivered: number;
  /** What became of the last one. */
  last: { kind: CaptureKind; rule: string; user: string; result: string } | null;
  /** Requests that look like a save and that no rule takes, each with a rule that would. */
  unmatched: { save: string; rule: CaptureRule }[];
  endpoint: string;
  storage: "indexedDB" | "localStorage" | "memory";
  /** Captures that are to be sent. */
  waiting: number;
  /** Captures whose person is not known yet. */
  unattributed: number;
  /** Why captures wait, if a person is not known. */
  why: string;
  /** Not allowed (401, 403) or not found (404): tried again by the next page. */
  parked: UndeliveredCapture[];
  /** Refused (400, 413, 422): not sent again. */
  setAside: UndeliveredCapture[];
  /** Captures that were given up, for want of room, after 7 days or because they are too large, by kind. */
  dropped: Partial<Record<CaptureKind, number>>;
}

export interface EnhancedDataCapture {
  readonly version: string;
  capturePaymentData(payment: object): Promise<CaptureAnswer>;
  captureQuestionnaireData(answers: object): Promise<CaptureAnswer>;
  captureDashboardData(dashboardData: object, tradingState?: object, theme?: string, user?: EnhancedDataCapturePerson): Promise<CaptureAnswer>;
  captureTradingActivity(activityType: string, activityData?: unknown): Promise<CaptureAnswer>;
  /** Who is here; null: nobody that the script was told of. */
  identify(person: EnhancedDataCapturePerson | string | null): Promise<{ success: boolean; error?: string }>;
  /** false: a kill switch, which survives a reload. What waits stays where it is. */
  setEnabled(enabled: boolean): Promise<{ success: boolean; enabled?: boolean }>;
  /** false: empties the queue, and holds on every page until it is true. */
  consent(given: boolean): Promise<{ success: boolean }>;
  /** Sends what waits, now. */
  flush(): Promise<{ success: boolean; queued?: boolean; waiting?: number }>;
  status(): Promise<EnhancedDataCaptureStatus>;
  healthCheck(): Promise<{ success?: boolean; status: string; [member: string]: unknown }>;
  /** Puts everything back as it was. */
  uninstall(): Promise<{ success: boolean }>;
}

declare global {
  // The names without `window`, too: a page without the script has neither.
  var enhancedDataCapture: EnhancedDataCapture | undefined;
  var enhancedDataCaptureConfig: EnhancedDataCaptureConfig | undefined;
  interface Window {
    enhancedDataCapture?: EnhancedDataCapture;
    enhancedDataCaptureConfig?: EnhancedDataCaptureConfig;
  }
}
