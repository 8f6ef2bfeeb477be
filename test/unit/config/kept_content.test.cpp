#include "config/kept_content.hpp"

#include "support/catch.hpp"

#include "config/content.hpp"

#include <dynconf/config/declared_schema.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace dynconf;
using detail::kept_content;

namespace {

struct unit_config {
    int port = 0;
    std::string host;
};

std::shared_ptr<const schema> unit_schema(int lowest_port) {
    auto s = std::make_shared<declared_schema<unit_config>>("/app");
    s->optional("port", &unit_config::port, {.etcd = "Port"}, 5000, in_range<int>(lowest_port, 65535))
        .required("host", &unit_config::host, {.etcd = "Host"});
    return s;
}

event put(std::string key, std::string text, revision_t revision) {
    event e;
    e.kv.key = std::move(key);
    e.kv.value = std::move(text);
    e.kv.mod_revision = revision;
    return e;
}

event erased(std::string key, revision_t revision) {
    event e = put(std::move(key), {}, revision);
    e.type = event::kind::erase;
    return e;
}

/// A process with a schema and what it keeps; can be restarted from what it has kept, with the same schema or another.
struct process {
    explicit process(int lowest_port = 1) : judge(detail::compiled_schema::compile(unit_schema(lowest_port)).value()) {}

    void load(std::vector<event> all, revision_t revision) {
        std::vector<key_value> kvs;
        for (event& e : all) kvs.push_back(std::move(e.kv));
        auto out = judge.load(now, kvs, revision);
        kept.load(kvs, revision, 7, out.rejected);
        now = out.next;
        rejected = std::move(out.rejected);
    }
    void apply(std::vector<event> events, revision_t revision) {
        auto out = judge.apply(now, events, revision);
        kept.apply(events, revision, 7, out.rejected);
        now = out.next;
        rejected = std::move(out.rejected);
    }
    process restarted(int lowest_port = 1) const {
        process next(lowest_port);
        next.kept = kept_content(kept.image());
        auto out = next.judge.restore({}, next.kept.good(), next.kept.refused_since(), next.kept.revision());
        next.kept.judged_again(out.rejected);
        next.now = out.next;
        next.rejected = std::move(out.rejected);
        return next;
    }
    std::string shown() const {
        return now.get_or("host", std::string("-")) + ':' + std::to_string(now.get_or("port", 0)) + " refused "
            + std::to_string(rejected.size());
    }
    /// As a source is told: "key=text@revision", in order.
    std::vector<std::string> known() const {
        std::vector<std::string> all;
        for (const key_value& kv : kept.known().kvs) all.push_back(kv.key + '=' + kv.value + '@' + std::to_string(kv.mod_revision));
        std::sort(all.begin(), all.end());
        return all;
    }

    detail::content judge;
    kept_content kept;
    snapshot now;
    std::vector<rejection> rejected;
};

using strings = std::vector<std::string>;
const std::vector<event> good{put("/app/Host", "db1", 3), put("/app/Port", "81", 4), put("/app/Foreign", "x", 5)};

}  // namespace

TEST_CASE("kept: of an unreadable value nothing is kept, and nobody goes on from there", "[content][cache]") {
    process p;
    p.load(good, 9);
    event broken = put("/app/Host", "", 10);
    broken.kv.unreadable = errc::seal_broken;
    event new_one = broken;
    new_one.kv.key = "/app/Other";
    p.apply({broken, new_one}, 10);
    CHECK(p.shown() == "db1:81 refused 1");
    process r = p.restarted();
    CHECK(r.shown() == "db1:81 refused 0");
    CHECK(r.known() == strings{"/app/Foreign=x@5", "/app/Host=db1@3", "/app/Port=81@4"});
    CHECK(r.kept.known().cluster_id == 0);

    SECTION("until they were read") {
        p.apply({put("/app/Host", "db2", 11), erased("/app/Other", 11)}, 11);
        CHECK(p.restarted().kept.known().cluster_id == 7);
    }
    SECTION("a whole load finds them as they are") {
        p.load({broken, good[1]}, 12);
        CHECK(p.restarted().shown() == "db1:81 refused 0");
        CHECK(p.restarted().kept.known().cluster_id == 0);
        p.load(good, 13);
        CHECK(p.restarted().kept.known().cluster_id == 7);
    }
}

TEST_CASE("kept: a restart serves what was there, with all keys for the source to go on from", "[content][cache]") {
    process p;
    p.load(good, 9);
    const process r = p.restarted();
    CHECK(r.shown() == "db1:81 refused 0");
    CHECK(r.now.origin() == origin::disk);
    CHECK(r.now.revision() == 9);
    CHECK(r.now.info("port") == provenance{origin::disk, 4});
    CHECK(r.known() == strings{"/app/Foreign=x@5", "/app/Host=db1@3", "/app/Port=81@4"});
    CHECK(r.kept.known().revision == 9);
    CHECK(r.kept.known().cluster_id == 7);
    const snapshot confirmed = r.judge.confirm(r.now, 9).next;
    CHECK(confirmed.origin() == origin::etcd);
    CHECK(confirmed.info("port") == provenance{origin::etcd, 4});
    CHECK(confirmed.serial() > r.now.serial());
    CHECK(changed_names(r.now, confirmed).empty());
}

TEST_CASE("kept: a refused value does not displace the last good one, over any number of restarts", "[content][cache]") {
    process p;
    p.load(good, 9);
    p.apply({put("/app/Port", "many", 10)}, 10);
    p.apply({put("/app/Port", "more", 11)}, 11);
    CHECK(p.shown() == "db1:81 refused 1");
    for (int i = 0; i < 3; ++i) {
        p = p.restarted();
        CHECK(p.shown() == "db1:81 refused 1");
        REQUIRE(p.rejected.size() == 1);
        CHECK(p.rejected[0].revision == 11);
        CHECK(p.known() == strings{"/app/Foreign=x@5", "/app/Host=db1@3", "/app/Port=more@11"});
    }
    p.apply({put("/app/Port", "none", 12)}, 12);   // refused after the restart
    p = p.restarted();
    CHECK(p.shown() == "db1:81 refused 1");
    p.apply({put("/app/Port", "82", 13)}, 13);
    p = p.restarted();
    CHECK(p.shown() == "db1:82 refused 0");
}

TEST_CASE("kept: a required key that is deleted keeps its last good value over a restart", "[content][cache]") {
    process p;
    p.load(good, 9);
    p.apply({erased("/app/Host", 10), erased("/app/Port", 10)}, 10);
    CHECK(p.shown() == "db1:5000 refused 1");
    p = p.restarted().restarted();
    CHECK(p.shown() == "db1:5000 refused 1");
    CHECK(p.rejected[0].reason.code == errc::required_missing);
    CHECK(p.known() == strings{"/app/Foreign=x@5"});
    CHECK_FALSE(p.kept.contains("/app/Host"));
    p.load({put("/app/Port", "81", 12)}, 12);      // a whole load without it
    p = p.restarted();
    CHECK(p.shown() == "db1:81 refused 1");
    p.apply({put("/app/Host", "db2", 13)}, 13);
    p = p.restarted();
    CHECK(p.shown() == "db2:81 refused 0");
}

TEST_CASE("kept: of several writes in one step each is judged alone", "[content][cache]") {
    process p;
    p.load(good, 9);
    p.apply({put("/app/Port", "82", 10), put("/app/Port", "bad", 11)}, 11);
    CHECK(p.restarted().shown() == "db1:82 refused 1");
    p.apply({put("/app/Port", "worse", 12), put("/app/Port", "83", 13)}, 13);
    CHECK(p.restarted().shown() == "db1:83 refused 0");
}

TEST_CASE("kept: what never was good has its default, and is reported once", "[content][cache]") {
    process p;
    p.load({put("/app/Port", "bad", 3), put("/app/Host", "db1", 4)}, 9);
    CHECK(p.shown() == "db1:5000 refused 1");
    p = p.restarted();
    CHECK(p.shown() == "db1:5000 refused 1");
    p.apply({put("/app/Port", "worse", 10)}, 10);
    p = p.restarted();
    CHECK(p.shown() == "db1:5000 refused 1");
    CHECK(p.known() == strings{"/app/Host=db1@4", "/app/Port=worse@10"});
}

TEST_CASE("kept: a restart with another schema judges again", "[content][cache]") {
    process strict(100);
    strict.load({put("/app/Port", "101", 3), put("/app/Host", "db1", 4)}, 9);
    strict.apply({put("/app/Port", "81", 10)}, 10);
    CHECK(strict.shown() == "db1:101 refused 1");
    process lenient = strict.restarted(1);         // what was refused is taken
    CHECK(lenient.shown() == "db1:81 refused 0");
    CHECK(lenient.restarted(1).shown() == "db1:81 refused 0");
    CHECK(lenient.restarted(100).shown() == "db1:5000 refused 1");   // the value before is not good any more
    CHECK(strict.restarted(1000).shown() == "db1:5000 refused 2");
    CHECK(strict.restarted(1000).restarted(1000).shown() == "db1:5000 refused 1");
}

TEST_CASE("kept: an image is not touched by what comes after it", "[content][cache]") {
    process p;
    p.load(good, 9);
    const detail::kept_image before = p.kept.image();
    p.apply({put("/app/Port", "82", 10), erased("/app/Foreign", 10)}, 10);
    CHECK(before.keys.size() == 3);
    CHECK(before.revision == 9);
    const bool intact = std::any_of(before.keys.begin(), before.keys.end(), [](const auto& k) { return k->now->value == "81"; });
    CHECK(intact);
    CHECK(p.kept.image().keys.size() == 2);
}
