#include "policy/rotation_plan.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace dynconf;
using namespace dynconf::policy;

namespace {

/// Values are "id:text" here, and sealed with "new" they are current; "plain:..." stays; "broken:..." cannot be opened.
stored_look look(const std::string&, const std::string& value, bool dry) {
    stored_look seen;
    const std::string id = value.substr(0, value.find(':'));
    if (id == "plain") return seen;
    seen.what = stored_look::kind::sealed;
    seen.name = id;
    if (id == "broken") seen.why = error{errc::seal_broken, {}};
    else if (id != "new") {
        seen.rewrite = true;
        if (!dry) seen.replacement = "new:" + value.substr(value.find(':') + 1);
    }
    return seen;
}

/// An etcd of a map, with as much of it as the plan asks for.
struct store {
    std::map<std::string, key_value> keys;
    revision_t revision = 0;
    std::vector<std::size_t> batches;
    std::vector<std::string> read;
    unsigned listings = 0;

    void put(const std::string& key, std::string value) {
        key_value& kv = keys[key];
        kv.key = key;
        kv.value = std::move(value);
        kv.mod_revision = ++revision;
    }
    void erase(const std::string& key) {
        keys.erase(key);
        ++revision;
    }

    range_response list(const rotation_plan::list& what) {
        ++listings;
        range_response page;
        page.header.revision = revision;
        page.count = static_cast<std::int64_t>(keys.size());
        for (const auto& [key, kv] : keys) {
            if (!what.keys.contains(key) || kv.mod_revision < what.options.min_mod_revision) continue;
            if (static_cast<std::int64_t>(page.kvs.size()) == what.options.limit) {
                page.more = true;
                break;
            }
            page.kvs.push_back(kv);
            if (what.options.keys_only) page.kvs.back().value.clear();
        }
        return page;
    }

    std::vector<rotation_plan::fate> write(const rotation_plan::write& what) {
        batches.push_back(what.items.size());
        const revision_t at = revision + 1;
        std::vector<rotation_plan::fate> fates;
        for (const auto& item : what.items) {
            auto& fate = fates.emplace_back();
            const auto found = keys.find(item.key);
            if (found == keys.end()) continue;
            fate.written = found->second.mod_revision == item.seen;
            if (!fate.written) {
                fate.now = found->second;
                continue;
            }
            found->second.value = item.value;
            found->second.mod_revision = at;
            revision = at;
        }
        return fates;
    }

    /// To the end; `between` comes before each step is done.
    template <class Between>
    void run(rotation_plan& plan, Between between) {
        for (;;) {
            rotation_plan::step step = plan.next();
            between(step);
            if (auto* l = std::get_if<rotation_plan::list>(&step)) {
                plan.listed(list(*l));
            } else if (auto* r = std::get_if<rotation_plan::read>(&step)) {
                std::vector<std::optional<key_value>> now;
                for (const std::string& key : r->keys) {
                    read.push_back(key);
                    const auto found = keys.find(key);
                    now.push_back(found == keys.end() ? std::nullopt : std::optional(found->second));
                }
                plan.was_read(now);
            } else if (auto* w = std::get_if<rotation_plan::write>(&step)) {
                const auto fates = write(*w);
                plan.wrote(revision, fates);
            } else {
                return;
            }
        }
    }
    void run(rotation_plan& plan) {
        run(plan, [](const rotation_plan::step&) {});
    }
};

rotation_plan plan_of(rotation_bounds bounds = {}) {
    return {key_range::all(), bounds, [dry = bounds.dry_run](const std::string& k, const std::string& v) { return look(k, v, dry); }};
}

using counts = std::map<std::string, std::int64_t>;

}  // namespace

TEST_CASE("a rotation rewrites what is sealed with another key, and nothing else", "[rotation_plan]") {
    store etcd;
    for (const char* kv : {"a=old:1", "b=new:2", "c=plain:3", "d=broken:4", "e=older:5"})
        etcd.put(std::string(kv).substr(0, 1), std::string(kv).substr(2));
    auto plan = plan_of();
    etcd.run(plan);
    CHECK(etcd.keys["a"].value == "new:1");
    CHECK(etcd.keys["b"].mod_revision == 2);
    CHECK(etcd.keys["c"].mod_revision == 3);
    CHECK(etcd.keys["d"].mod_revision == 4);
    CHECK(etcd.keys["e"].value == "new:5");
    const rotation_report& r = plan.report();
    CHECK(r.expected == 5);
    CHECK(r.keys == 5);
    CHECK(r.sealed == counts{{"broken", 1}, {"new", 1}, {"old", 1}, {"older", 1}});
    CHECK(r.plaintext == 1);
    CHECK(r.to_rewrite == 2);
    CHECK(r.rewritten == 2);
    CHECK(r.unresolved == 1);
    REQUIRE(r.problems.size() == 1);
    CHECK(r.problems[0].key == "d");
    CHECK(r.settled);
    CHECK_FALSE(r.complete());
    CHECK(r.passes == 2);
    CHECK(etcd.read.empty());   // what it wrote itself is not read again

    auto again = plan_of();
    const revision_t before = etcd.revision;
    etcd.run(again);
    CHECK(etcd.revision == before);
    CHECK(again.report().passes == 1);
}

TEST_CASE("a dry run lists once and writes nothing", "[rotation_plan]") {
    store etcd;
    etcd.put("a", "old:1");
    etcd.put("b", "new:1");
    rotation_bounds bounds;
    bounds.dry_run = true;
    auto plan = plan_of(bounds);
    etcd.run(plan);
    CHECK(etcd.revision == 2);
    CHECK(etcd.batches.empty());
    CHECK(plan.report().to_rewrite == 1);
    CHECK(plan.report().rewritten == 0);
    CHECK_FALSE(plan.report().complete());
    etcd.put("a", "new:1");
    auto second = plan_of(bounds);
    etcd.run(second);
    CHECK(second.report().complete());
}

TEST_CASE("a value that a writer changed is never replaced by what was read before", "[rotation_plan]") {
    struct row {
        const char* title;
        const char* to;        // "": deleted
        const char* at_last;
        std::int64_t rewritten, overtaken, vanished;
    };
    const row rows[] = {
        {"by the new key", "new:2", "new:2", 0, 1, 0},
        {"by the old key", "old:2", "new:2", 1, 0, 0},
        {"deleted", "", "", 0, 0, 1},
        {"to what cannot be opened", "broken:2", "broken:2", 0, 0, 0},
        {"to plain text", "plain:2", "plain:2", 0, 1, 0},
    };
    for (const row& r : rows) {
        INFO(r.title);
        store etcd;
        etcd.put("k", "old:1");
        auto plan = plan_of();
        bool done = false;
        etcd.run(plan, [&](const rotation_plan::step& step) {
            if (done || !std::holds_alternative<rotation_plan::write>(step)) return;
            done = true;
            if (*r.to) etcd.put("k", r.to);
            else etcd.erase("k");
        });
        CHECK((*r.at_last ? etcd.keys.at("k").value == r.at_last : etcd.keys.empty()));
        CHECK(plan.report().rewritten == r.rewritten);
        CHECK(plan.report().overtaken == r.overtaken);
        CHECK(plan.report().vanished == r.vanished);
        CHECK(plan.report().settled);
    }
}

TEST_CASE("what writers with an older ring put behind it is found by another pass", "[rotation_plan]") {
    store etcd;
    for (char c = 'a'; c <= 'z'; ++c) etcd.put(std::string(1, c), "old:x");
    rotation_bounds bounds;
    bounds.values_per_page = 5;
    bounds.names_per_page = 7;
    auto plan = plan_of(bounds);
    unsigned steps = 0;
    etcd.run(plan, [&](const rotation_plan::step&) {
        ++steps;
        if (steps == 6) etcd.put("a", "old:late");       // behind the first pass
        if (steps == 8) etcd.put("a0", "old:new key");
        if (steps == 9) etcd.put("b", "new:by a writer");
    });
    CHECK(etcd.keys["a"].value == "new:late");
    CHECK(etcd.keys["a0"].value == "new:new key");
    CHECK(etcd.keys["b"].value == "new:by a writer");
    for (const auto& [key, kv] : etcd.keys) CHECK(kv.value.substr(0, 4) == "new:");
    CHECK(plan.report().complete());
    CHECK(plan.report().passes == 3);
    CHECK(etcd.read == std::vector<std::string>{"a", "a0", "b"});
}

TEST_CASE("one that never stops writing with an old key does not keep it for ever", "[rotation_plan]") {
    store etcd;
    etcd.put("k", "old:1");
    auto plan = plan_of();
    SECTION("between reading and writing: the value is given up") {
        etcd.run(plan, [&](const rotation_plan::step& step) {
            if (std::holds_alternative<rotation_plan::write>(step)) etcd.put("k", "old:again");
        });
        CHECK(plan.report().rewritten == 0);
        REQUIRE(plan.report().problems.size() == 1);
        CHECK(plan.report().problems[0].why == errc::contended);
    }
    SECTION("between the passes: it is told that this was not settled") {
        etcd.run(plan, [&](const rotation_plan::step& step) {
            if (std::holds_alternative<rotation_plan::list>(step)) etcd.put("k", "old:again");
        });
        CHECK(plan.report().passes == 16);
        CHECK_FALSE(plan.report().settled);
    }
    CHECK_FALSE(plan.report().complete());
}

TEST_CASE("a write that was executed twice counts once", "[rotation_plan]") {
    store etcd;
    etcd.put("k", "old:1");
    auto plan = plan_of();
    plan.listed(etcd.list(std::get<rotation_plan::list>(plan.next())));
    const auto step = plan.next();
    const auto& w = std::get<rotation_plan::write>(step);
    etcd.write(w);                                   // the answer got lost
    plan.wrote(etcd.revision, etcd.write(w));
    CHECK(plan.report().rewritten == 1);
    CHECK(plan.report().overtaken == 0);
    etcd.run(plan);
    CHECK(plan.report().complete());
}

TEST_CASE("batches are bounded in number and bytes; what is refused is tried alone", "[rotation_plan]") {
    store etcd;
    rotation_bounds bounds;
    bounds.batch = 4;
    bounds.batch_bytes = 1000;
    SECTION("by number") {
        for (char c = 'a'; c <= 'j'; ++c) etcd.put(std::string(1, c), "old:x");
        auto plan = plan_of(bounds);
        etcd.run(plan);
        CHECK(etcd.batches == std::vector<std::size_t>{4, 4, 2});
    }
    SECTION("by bytes; one that is larger goes alone") {
        etcd.put("a", "old:" + std::string(500, 'x'));
        etcd.put("b", "old:" + std::string(5000, 'x'));
        etcd.put("c", "old:x");
        auto plan = plan_of(bounds);
        etcd.run(plan);
        CHECK(etcd.batches == std::vector<std::size_t>{1, 1, 1});
        CHECK(plan.report().complete());
    }
    SECTION("refused by etcd") {
        for (const char* key : {"a", "b", "c"}) etcd.put(key, "old:x");
        auto plan = plan_of(bounds);
        plan.listed(etcd.list(std::get<rotation_plan::list>(plan.next())));
        CHECK(std::get<rotation_plan::write>(plan.next()).items.size() == 3);
        plan.too_large({server_errc::request_too_large, {}});
        for (int i = 0; i < 3; ++i) {
            const auto step = plan.next();
            const auto& w = std::get<rotation_plan::write>(step);
            REQUIRE(w.items.size() == 1);
            if (w.items[0].key == "b") plan.too_large({server_errc::request_too_large, {}});
            else plan.wrote(etcd.revision + 1, etcd.write(w));
        }
        etcd.run(plan);
        CHECK(plan.report().rewritten == 2);
        REQUIRE(plan.report().problems.size() == 1);
        CHECK(plan.report().problems[0].key == "b");
    }
}

TEST_CASE("problems are told in key order, a hundred of them, and forgotten when they are none any more", "[rotation_plan]") {
    store etcd;
    for (int i = 0; i < 300; ++i) etcd.put("k" + std::to_string(100 + i), "broken:x");
    etcd.put("z", "old:x");
    auto plan = plan_of();
    bool done = false;
    etcd.run(plan, [&](const rotation_plan::step& step) {
        if (done || !std::holds_alternative<rotation_plan::write>(step)) return;
        done = true;
        etcd.put("k101", "new:healed");
        etcd.put("k102", "old:healed");
        etcd.erase("k103");   // a list does not tell of it: it stays told until the next run
    });
    CHECK(plan.report().unresolved == 298);
    REQUIRE(plan.report().problems.size() >= 98);
    CHECK(plan.report().problems[0].key == "k100");
    CHECK(plan.report().problems[1].key == "k103");
    CHECK(etcd.keys["k102"].value == "new:healed");
}

TEST_CASE("what was deleted before it was read again is no problem any more", "[rotation_plan]") {
    auto plan = plan_of();
    const auto broken = [](const std::string& key, revision_t at) {
        key_value kv;
        kv.key = key;
        kv.value = "broken:x";
        kv.mod_revision = at;
        return kv;
    };
    range_response page;
    page.header.revision = 5;
    for (int i = 0; i < 101; ++i) page.kvs.push_back(broken("m" + std::to_string(100 + i), 1));
    page.kvs.push_back(broken("a", 2));   // comes last, and is told first
    key_value old = broken("z", 3);
    old.value = "old:x";
    page.kvs.push_back(old);
    plan.listed(page);
    CHECK(plan.report().unresolved == 102);
    REQUIRE(plan.report().problems.size() == 100);
    CHECK(plan.report().problems.front().key == "a");
    CHECK(plan.report().problems.back().key == "m198");

    REQUIRE(std::holds_alternative<rotation_plan::write>(plan.next()));
    plan.wrote(6, {{true, std::nullopt}});
    REQUIRE(std::holds_alternative<rotation_plan::list>(plan.next()));   // the second pass
    range_response names;
    names.header.revision = 8;
    names.kvs.push_back(broken("a", 7));
    names.more = true;                                                   // and yet there is no more
    plan.listed(names);
    REQUIRE(std::holds_alternative<rotation_plan::read>(plan.next()));
    plan.was_read({std::nullopt});
    CHECK(plan.report().unresolved == 101);
    CHECK(plan.report().problems.front().key == "m100");
    REQUIRE(std::holds_alternative<rotation_plan::list>(plan.next()));
    range_response empty;
    empty.more = true;
    plan.listed(empty);
    CHECK(std::holds_alternative<rotation_plan::finished>(plan.next()));
}

TEST_CASE("a first pass counts what it finds by kind", "[rotation_plan]") {
    rotation_plan plan(key_range::all(), {}, [](const std::string& key, const std::string&) {
        stored_look seen;
        seen.what = key == "f" ? stored_look::kind::foreign : key == "s" ? stored_look::kind::sealed : stored_look::kind::plain;
        seen.name = key == "p" ? "" : key + "-name";
        return seen;
    });
    range_response page;
    for (const char* key : {"f", "p", "s"}) page.kvs.emplace_back().key = key;
    plan.listed(page);
    CHECK(plan.report().foreign == counts{{"f-name", 1}});
    CHECK(plan.report().sealed == counts{{"s-name", 1}});
    CHECK(plan.report().plaintext == 1);
    CHECK(plan.report().keys == 3);
}
