// The written form of a history: what is read is what was written, and a line that is wrong says where.

#include "testing/history_file.hpp"

#include "support/catch.hpp"
#include "unit/testing/random_run.hpp"

#include <sstream>

using namespace dynconf;
using namespace dynconf::test;

namespace {

std::string written(const history& h) {
    std::ostringstream out;
    write_history(out, h);
    return out.str();
}

history read(const std::string& text) {
    std::istringstream in(text);
    return read_history(in);
}

std::string error_of(const std::string& text) {
    try {
        (void)read(text);
    } catch (const std::runtime_error& e) {
        return e.what();
    }
    return "none";
}

}  // namespace

TEST_CASE("history file: what is read is what was written", "[checker]") {
    history h = random_run{.calls = 500, .watched = true}.make();
    h.foreign_writers = true;
    h.start = {7, {run_book::kv("\xff\x01", std::string("\0\xfe", 2), 5)}};
    range_options o{.limit = 3, .revision = 4, .order = sort_order::ascend, .target = sort_target::value, .read = consistency::serializable,
        .keys_only = true, .count_only = true, .min_mod_revision = 1, .max_mod_revision = 2, .min_create_revision = 3, .max_create_revision = 4};
    h.operations.push_back({9, op::range(key_range::from("x"), o), run_book::at(1), run_book::at(2), write_state::not_executed, {}});
    h.operations.push_back({9, op::put("p", "", {.lease = 5, .ignore_value = true, .ignore_lease = true}), run_book::at(1)});
    txn inner = txn().if_(value_of(key_range::prefix("k")) != "\xff").if_(lease_of("l") > 3).then(op::delete_range(key_range::all(), {.prev_kv = true}));
    h.operations.push_back({9, op::txn(txn().else_(op::txn(std::move(inner)))), run_book::at(1)});
    h.leases = {{1, lease_operation::kind::keep_alive, -3, run_book::at(1), run_book::at(2), write_state::executed, 60}};
    h.compactions = {{run_book::at(5), 3}};
    h.holdings = {{1, "lock", "lock/1", 4, run_book::at(1), run_book::at(2)}, {2, "lock", "lock/2", 5, run_book::at(3), {}}};
    h.lulls = {{run_book::at(50), 8}, {run_book::at(90), 9}};
    run_book b;
    observer& m = b.watch("mirror", key_range::prefix("a"));
    m.what = observer::kind::mirror;
    m.no_delete = true;
    m.seen = {b.snapshot(1, 3, {b.kv("a", "x", 2)}), b.live(2), b.stale(3), b.bookmark(4, 8), {sight::kind::ended, b.at(9)}};
    m.seen.push_back({.what = sight::kind::ended, .at = b.at(10), .end = ending::history_lost});
    m.seen.push_back({sight::kind::resync, b.at(5), 9, {b.delete_event("a", 4)}, {}, mirror_step::reason::compacted});
    h.observers.push_back(m);
    h.end = known_state{9, {b.kv("a", "y", 9)}};
    h.ended = b.at(99);
    const std::string text = written(h);
    CHECK(written(read(text)) == text);
}

TEST_CASE("history file: an end without a reason, as it was written before there were any", "[checker]") {
    const std::string w = R"({"type":"observer","name":"w","what":"watch","ranges":[]})" "\n";
    const std::string end = R"({"type":"sight","observer":"w","what":"ended","at":1)";
    CHECK(read(w + end + "}").observers[0].seen[0].end == ending::left);
    CHECK(error_of(w + end + R"(,"why":"compacted"})") == "line 2: why: none of left, history_lost, refused, failed");
}

TEST_CASE("history file: a lie is found in what was read, too", "[checker]") {
    history h = random_run{.calls = 300, .watched = true}.make();
    CHECK(check(read(written(h))).empty());
    h.observers.front().seen.erase(h.observers.front().seen.begin() + 5);
    CHECK_FALSE(check(read(written(h))).empty());
}

TEST_CASE("history file: a wrong line says which, and which member", "[checker]") {
    const std::string good = R"({"type":"start","revision":1})" "\n";
    CHECK(error_of(good + "{") == "line 2: no JSON");
    CHECK(error_of(good + "[]") == "line 2: not an object");
    CHECK(error_of(good + std::string(1'000'000, '[')) == "line 2: nested too deep");
    std::string deep = R"({"type":"call","what":)";
    for (int i = 0; i < 100'000; ++i) deep += R"({"txn":{"then":[)";
    CHECK(error_of(deep) == "line 1: nested too deep");
    CHECK(error_of(good + "\n{}") == "line 3: type: missing");
    CHECK(error_of(R"({"type":"cal"})") == "line 1: type: no type of a line");
    CHECK(error_of(R"({"type":"start"})") == "line 1: revision: missing");
    CHECK(error_of(R"({"type":"start","revision":"1"})") == "line 1: revision: not a whole number");
    CHECK(error_of(R"({"type":"start","revision":1,"kvs":[{"key":"a","value":1}]})") == "line 1: kvs[0].value: not a text");
    CHECK(error_of(R"({"type":"start","revision":1,"kvs":[{"key":"a"},{"key":"b","mod":1}]})") == "line 1: kvs[1].mod: unknown");
    CHECK(error_of(R"({"type":"start","revision":1,"kvs":[{"key_base64":"?"}]})") == "line 1: kvs[0].key_base64: not base64");
    CHECK(error_of(R"({"type":"compaction","called":1,"revision":2,"x":3})") == "line 1: x: unknown");
    CHECK(error_of(R"({"type":"call","client":-1})").starts_with("line 1: "));
    const auto call = [](const std::string& what, const std::string& rest) {
        return R"({"type":"call","client":1,"called":1,"returned":2,"state":"executed","what":)" + what + rest + "}";
    };
    const std::string put = R"({"put":{"key":"a","value":"b"}})";
    CHECK(error_of(call(put, "")) == "line 1: answer: missing");
    CHECK(error_of(call(put, R"(,"answer":{"put":{}})")) == "line 1: answer.put.revision: missing");
    CHECK(error_of(call(put, R"(,"answer":{"range":{"revision":1,"count":0}})")) == "line 1: answer: of another kind than the call");
    CHECK(error_of(call(R"({"push":{}})", "")) == "line 1: what.push: none of range, put, delete_range, txn");
    CHECK(error_of(call(R"({"put":{"key":"a"}})", "")) == "line 1: what.put.value: missing");
    CHECK(error_of(call(R"({"txn":{"if":[{"key":"a","what":"size"}]}})", ""))
        == "line 1: what.txn.if[0].what: none of version, create_revision, mod_revision, value, lease");
    CHECK(error_of(R"({"type":"sight","observer":"w","what":"live","at":1})") == "line 1: observer: no such observer came before");
    const std::string w = R"({"type":"observer","name":"w","what":"watch","ranges":[]})";
    CHECK(error_of(w + "\n" + w) == "line 2: name: an observer of that name was there before");
    CHECK(error_of(w + "\n" + R"({"type":"sight","observer":"w","what":"batch","at":1,"events":[{"type":"put","key":"a"},{"type":"putt","key":"a"}]})")
        == "line 2: events[1].type: none of put, delete");
}
