// The environment wins where it is set, and the other copies follow.
//
// Whoever reads a list of places takes the first that holds something, as the attribute `reads` says.
#include "token_policy.h"
#include <string.h>

#define P(name) exports_precedent_policy_policy_##name
#define PLAIN EXPORTS_PRECEDENT_POLICY_POLICY_PRESENCE_PLAIN
#define REFERENCE EXPORTS_PRECEDENT_POLICY_POLICY_PRESENCE_REFERENCE
#define UNREADABLE EXPORTS_PRECEDENT_POLICY_POLICY_PRESENCE_UNREADABLE

// An instance lives for one call, so nothing is given back.
extern unsigned char __heap_base;
static unsigned char *next = &__heap_base;

void *realloc(void *old, size_t size) {
  unsigned char *at = (unsigned char *)(((size_t)next + 15) & ~(size_t)15);
  size_t end = (size_t)at + size, have = __builtin_wasm_memory_size(0) << 16;
  if (end > have && __builtin_wasm_memory_grow(0, ((end - have) >> 16) + 1) == (size_t)-1) __builtin_trap();
  next = (unsigned char *)end;
  // The old bytes lie below, so as many can be read as are asked for.
  if (old) memmove(at, old, size);
  return at;
}
void *malloc(size_t size) { return realloc(0, size); }
void free(void *gone) { (void)gone; }
void abort(void) { __builtin_trap(); }

static token_policy_string_t text(const char *words) {
  return (token_policy_string_t){(uint8_t *)words, __builtin_strlen(words)};
}
// All strings of a snapshot are one text, and spans point into it.
static const char *at(const P(snapshot_t) * snapshot, P(span_t) span) {
  return (const char *)snapshot->text.ptr + span.offset;
}
static bool same(const char *one, size_t one_len, const char *other, size_t len) {
  if (one_len != len) return false;
  for (size_t i = 0; i < len; i++)
    if (one[i] != other[i]) return false;
  return true;
}

static P(location_t) * find(P(snapshot_t) * snapshot, const char *name, size_t len) {
  for (size_t i = 0; i < snapshot->locations.len; i++) {
    P(location_t) *place = &snapshot->locations.ptr[i];
    if (same(at(snapshot, place->name), place->name.length, name, len)) return place;
  }
  return 0;
}

// The secret that a reader gets there; none is -1.
static int64_t secret(const P(location_t) * location) {
  const P(presence_t) *there = &location->presence;
  if (there->tag == PLAIN) return there->val.plain;
  if (there->tag == REFERENCE && there->val.reference.resolved.is_some)
    return there->val.reference.resolved.val;
  return -1;
}

static P(standing_t) standing(P(snapshot_t) * snapshot, uint32_t consumer) {
  P(standing_t) none = {.tag = EXPORTS_PRECEDENT_POLICY_POLICY_STANDING_NOTHING};
  for (size_t i = 0; i < snapshot->consumer_attributes.len; i++) {
    P(attribute_t) *said = &snapshot->consumer_attributes.ptr[i];
    if (said->owner != consumer || !same(at(snapshot, said->key), said->key.length, "reads", 5)) continue;
    const char *name = at(snapshot, said->value), *end = name + said->value.length;
    while (name < end) {
      size_t len = 0;
      while (name + len < end && name[len] != ' ') len++;
      P(location_t) *place = find(snapshot, name, len);
      name += len + 1;
      if (!place) continue;
      uint32_t id = (uint32_t)(place - snapshot->locations.ptr);
      if (place->presence.tag == UNREADABLE)
        return (P(standing_t)){.tag = EXPORTS_PRECEDENT_POLICY_POLICY_STANDING_INVALID};
      if (secret(place) >= 0)
        return (P(standing_t)){EXPORTS_PRECEDENT_POLICY_POLICY_STANDING_COPY, {.copy = id}};
      if (place->presence.tag == REFERENCE)
        return (P(standing_t)){EXPORTS_PRECEDENT_POLICY_POLICY_STANDING_UNRESOLVED, {.unresolved = id}};
    }
  }
  return none;
}

static void say(P(decision_t) * decision, const char *code, const char *message, uint32_t *id) {
  decision->findings.ptr[decision->findings.len++] = (P(finding_t)){
      .code = text(code), .severity = EXPORTS_PRECEDENT_POLICY_POLICY_SEVERITY_WARNING,
      .message = text(message), .locations = {id, id ? 1 : 0}};
}

bool P(decide)(P(snapshot_t) * snapshot, P(decision_t) * decision, P(refusal_t) * refusal) {
  (void)refusal;
  size_t places = snapshot->locations.len;
  decision->verdicts.ptr = malloc(snapshot->consumers.len * sizeof(P(verdict_t)));
  decision->actions.ptr = malloc(places * sizeof(P(action_t)));
  decision->findings.ptr = malloc((places + 1) * sizeof(P(finding_t)));
  decision->verdicts.len = decision->actions.len = decision->findings.len = 0;

  P(location_t) *env = find(snapshot, "env.api-key", 11);
  bool expired = env && env->expires.is_some && env->expires.val <= snapshot->now;
  bool wins = env && env->presence.tag == PLAIN && !expired;
  uint32_t from = wins ? (uint32_t)(env - snapshot->locations.ptr) : 0;
  for (uint32_t i = 0; i < snapshot->consumers.len; i++)
    decision->verdicts.ptr[decision->verdicts.len++] = (P(verdict_t)){
        .consumer = i, .today = standing(snapshot, i), .wanted = {wins, from},
        .reason = text(wins ? "the environment wins" : "no key in the environment")};
  if (!wins) {
    say(decision, "environment-not-set", "API_KEY is not set, or has expired; no copy is written", 0);
    return true;
  }
  for (uint32_t i = 0; i < places; i++) {
    P(location_t) *copy = &snapshot->locations.ptr[i];
    if (copy->credential != env->credential || copy == env || secret(copy) == secret(env)) continue;
    if (copy->writable && copy->presence.tag != REFERENCE && copy->presence.tag != UNREADABLE) {
      decision->actions.ptr[decision->actions.len++] = (P(action_t)){
          .deed = {EXPORTS_PRECEDENT_POLICY_POLICY_DEED_WRITE, {.write = {from, i}}},
          .reason = text("follows the environment")};
    } else {
      uint32_t *id = malloc(sizeof *id);
      *id = i;
      say(decision, "copy-left-alone", "a copy does not follow: it cannot be written", id);
    }
  }
  return true;
}

void P(describe)(P(about_t) * about) {
  *about = (P(about_t)){text("environment-wins"), text("0.1.0"), text("{\"type\":\"object\",\"properties\":{}}")};
}

bool P(validate_settings)(token_policy_string_t *settings, token_policy_list_string_t *faults) {
  if (settings->len == 0 || same((const char *)settings->ptr, settings->len, "{}", 2)) return true;
  token_policy_string_t *fault = malloc(sizeof *fault);
  *fault = text("this policy has no settings");
  *faults = (token_policy_list_string_t){fault, 1};
  return false;
}
