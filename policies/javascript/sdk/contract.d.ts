// The contract's types, `wit/v1/policy.wit`, as componentize-qjs hands them over: names in camel
// case, enums and tags of variants as they stand in the contract, `null` where there is none. Only
// what this policy reads or answers.

export type Phase = "start" | "restart" | "check" | "repair" | "rotate";
export type Severity = "info" | "warning" | "error";

/** A part of the snapshot's text, in bytes of UTF-8. */
export interface Span {
    offset: number;
    length: number;
}

export interface ReferenceRecord {
    kind: "environment" | "file" | "command" | "store" | "unknown";
    target: Span;
    resolved: number | null;
}

export type Presence =
    | { tag: "absent" | "empty" | "placeholder" }
    | { tag: "plain"; val: number }
    | { tag: "reference"; val: ReferenceRecord }
    | { tag: "unreadable"; val: string };

export interface LocationRecord {
    name: Span;
    credential: number;
    label: Span;
    presence: Presence;
    expires: number | null;
    writable: boolean;
}

export interface ConsumerRecord {
    name: Span;
    credential: number;
}

export interface Attribute {
    owner: number;
    key: Span;
    value: Span;
}

export interface SnapshotRecord {
    phase: Phase;
    now: number;
    text: string;
    settings: Span;
    credentials: Span[];
    locations: LocationRecord[];
    consumers: ConsumerRecord[];
    locationAttributes: Attribute[];
    consumerAttributes: Attribute[];
    facts: { key: Span; value: Span }[];
}

export type Standing =
    | { tag: "copy" | "unresolved"; val: number }
    | { tag: "nothing" | "generated" | "invalid" };

export interface Verdict {
    consumer: number;
    today: Standing;
    wanted: number | null;
    reason: string;
    next: number | null;
}

export type Deed =
    | { tag: "write" | "refer"; val: { from: number; to: number } }
    | { tag: "remove" | "refresh"; val: number }
    | { tag: "mint"; val: { credential: number; to: number } };

export interface Action {
    deed: Deed;
    reason: string;
}

export interface DecisionRecord {
    verdicts: Verdict[];
    actions: Action[];
    findings: {
        code: string;
        severity: Severity;
        message: string;
        remedy: string | null;
        locations: number[];
    }[];
}

export interface Refusal {
    code: string;
    reason: string;
    remedy: string | null;
    locations: number[];
}
