#pragma once

#include <dynconf/mirror.hpp>
#include <dynconf/watch.hpp>

#include "mock/client_scene.hpp"
#include "support/catch.hpp"
#include "support/fake_gateway.hpp"
#include "support/gateway_words.hpp"
#include "support/parallel.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace dynconf::test {

inline key_range ours() { return key_range::prefix("/a/"); }

inline watch_options from(revision_t revision) {
    watch_options o;
    o.start_revision = revision;
    return o;
}

/// "key=value@revision" or "-key@revision".
inline std::string shown(const event& e) {
    const std::string at = "@" + std::to_string(e.kv.mod_revision);
    return e.type == event::kind::erase ? "-" + e.kv.key + at : e.kv.key + "=" + e.kv.value + at;
}

inline std::string shown(const std::vector<event>& events) {
    std::string all;
    for (const event& e : events) all += (all.empty() ? "" : " ") + shown(e);
    return all;
}

inline std::string shown(std::vector<key_value> content) {
    std::sort(content.begin(), content.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    std::string all;
    for (const key_value& kv : content) all += (all.empty() ? "" : " ") + kv.key + "=" + kv.value + "@" + std::to_string(kv.mod_revision);
    return all;
}

/// The next events of a watch, as text.
inline asio::awaitable<std::string> next_of(watcher& w) {
    watch_batch batch = co_await w.next();
    CHECK(batch.revision == (batch.events.empty() ? 0 : batch.events.back().kv.mod_revision));
    co_return shown(batch.events);
}

/// The next step that is neither `connected` nor `interrupted`, as text.
inline asio::awaitable<std::string> next_of(mirror& m) {
    for (;;) {
        mirror_step s = co_await m.next();
        const std::string at = " at " + std::to_string(s.revision) + ": ";
        if (s.what == mirror_step::kind::snapshot) co_return "snapshot" + at + shown(std::move(s.content));
        if (s.what == mirror_step::kind::update) co_return "update" + at + shown(s.events);
        if (s.what == mirror_step::kind::resync) co_return "resync" + at + shown(s.events);
    }
}

/// Where each stream goes on, which is asked for from one before.
inline std::vector<revision_t> starts(const fake_gateway& gateway) {
    std::vector<revision_t> all;
    for (const gateway_request& r : gateway.requests(watch_path)) all.push_back(start_revision(r) < 2 ? start_revision(r) : start_revision(r) + 1);
    return all;
}

/// A history that any number of watches can be served from.
struct history {
    std::map<revision_t, std::vector<std::string>> events{
        {3, {put_event("/a/1", "one", 3), put_event("/a/2", "two", 3)}},
        {5, {erase_event("/a/1", 5)}},
        {8, {put_event("/a/3", "three", 8), erase_event("/a/2", 8), put_event("/a/4", "", 8)}},
        {9, {put_event("/a/1", "again", 9)}},
    };
    static constexpr const char* all =
        "/a/1=one@3 /a/2=two@3 -/a/1@5 /a/3=three@8 -/a/2@8 /a/4=@8 /a/1=again@9";

    /// From `first` on: one line up to revision 5, one for the rest.
    std::vector<std::string> lines(revision_t first) const {
        std::vector<std::string> early, late, out;
        for (const auto& [revision, some] : events) {
            if (revision < first) continue;
            auto& to = revision <= 5 ? early : late;
            to.insert(to.end(), some.begin(), some.end());
        }
        out.push_back(created(9));
        if (!early.empty()) out.push_back(news(9, early));
        if (!late.empty()) out.push_back(news(9, late));
        return out;
    }
};

}  // namespace dynconf::test
