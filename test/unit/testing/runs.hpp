#pragma once

// Runs made by hand, for the tests of the checker.

#include "testing/check.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynconf::test {

using namespace testing;
using namespace std::chrono_literals;

/// A history, call by call. Moments are milliseconds.
struct run_book {
    history h;

    static time_point at(int ms) { return time_point(1h + std::chrono::milliseconds(ms)); }

    static key_value kv(std::string key, std::string value, revision_t mod, std::int64_t version = 1, revision_t create = 0, lease_id lease = 0) {
        return {std::move(key), std::move(value), create == 0 ? mod : create, mod, version, lease};
    }
    static event put_event(key_value kv, std::optional<key_value> prev = {}) { return {event::kind::put, std::move(kv), std::move(prev)}; }
    static event delete_event(std::string key, revision_t mod, std::optional<key_value> prev = {}) {
        event e;
        e.type = event::kind::erase;
        e.kv.key = std::move(key);
        e.kv.mod_revision = mod;
        e.prev_kv = std::move(prev);
        return e;
    }

    std::size_t done(unsigned client, int from, int to, op what, op_response answer, revision_t revision) {
        std::visit([&](auto& a) { a.header.revision = revision; }, static_cast<op_response::variant&>(answer));
        h.operations.push_back({client, std::move(what), at(from), at(to), write_state::executed, std::move(answer)});
        return h.operations.size() - 1;
    }
    std::size_t unknown(unsigned client, int from, op what) {
        h.operations.push_back({client, std::move(what), at(from), {}, write_state::unknown, {}});
        return h.operations.size() - 1;
    }
    std::size_t failed(unsigned client, int from, int to, op what) {
        h.operations.push_back({client, std::move(what), at(from), at(to), write_state::not_executed, {}});
        return h.operations.size() - 1;
    }

    std::size_t put(unsigned client, int from, int to, const std::string& key, const std::string& value, revision_t revision) {
        return done(client, from, to, op::put(key, value), put_response(), revision);
    }
    /// Of one key: what it had, or none.
    std::size_t get(unsigned client, int from, int to, const std::string& key, std::vector<key_value> found, revision_t revision) {
        range_response a;
        a.count = static_cast<std::int64_t>(found.size());
        a.kvs = std::move(found);
        return done(client, from, to, op::range(key_range::key(key)), std::move(a), revision);
    }
    std::size_t erase(unsigned client, int from, int to, const std::string& key, std::int64_t deleted, revision_t revision) {
        delete_response a;
        a.deleted = deleted;
        return done(client, from, to, op::delete_range(key_range::key(key)), std::move(a), revision);
    }

    observer& watch(std::string name = "watch", key_range range = key_range::all()) {
        observer o;
        o.name = std::move(name);
        o.ranges.push_back(std::move(range));
        h.observers.push_back(std::move(o));
        return h.observers.back();
    }
    static sight started(int ms, revision_t from) { return {sight::kind::started, at(ms), from}; }
    static sight batch(int ms, std::vector<event> events) {
        const revision_t last = events.back().kv.mod_revision;
        return {sight::kind::batch, at(ms), last, std::move(events)};
    }
    static sight bookmark(int ms, revision_t r) { return {sight::kind::bookmark, at(ms), r}; }
    static sight snapshot(int ms, revision_t r, std::vector<key_value> kvs) { return {sight::kind::snapshot, at(ms), r, {}, std::move(kvs)}; }
    static sight live(int ms) { return {sight::kind::live, at(ms)}; }
    static sight stale(int ms) { return {sight::kind::stale, at(ms)}; }

    void end(int ms, revision_t r, std::vector<key_value> kvs) {
        h.end = known_state{r, std::move(kvs)};
        h.ended = at(ms);
    }

    std::vector<violation> check(check_options options = {}) const { return testing::check(h, options); }
    /// "rule: words", each on a line; empty: all is right.
    std::string verdict(check_options options = {}) const {
        std::string text;
        for (const violation& v : check(options)) text += std::string(name_of(v.broken)) + ": " + v.words + "\n";
        return text;
    }
};

inline bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace dynconf::test
