#include "policy/asked_for.hpp"

#include "support/catch.hpp"

using namespace dynconf;
using policy::not_asked_for;

namespace {

key_value pair(std::string key) {
    key_value kv;
    kv.key = std::move(key);
    return kv;
}

range_response found(const std::vector<std::string>& keys, bool more = false) {
    range_response r;
    r.more = more;
    for (const std::string& key : keys) r.kvs.push_back(pair(key));
    return r;
}

put_response put_over(std::string key) {
    put_response r;
    r.prev_kv = pair(std::move(key));
    return r;
}

delete_response deleted(const std::vector<std::string>& keys) {
    delete_response r;
    for (const std::string& key : keys) r.prev_kvs.push_back(pair(key));
    return r;
}

range_options limited(std::int64_t limit) {
    range_options o;
    o.limit = limit;
    return o;
}

const key_range below_a = key_range::prefix("/a/");

}  // namespace

TEST_CASE("asked for: keys of the range in their order, and more of them only behind a full page", "[asked_for]") {
    range_options downwards, by_version, counting = limited(2);
    downwards.order = sort_order::descend;
    by_version.target = sort_target::version;
    counting.count_only = true;
    struct { const char* what; range_response answer; key_range keys; range_options options; bool fits; } const rows[] = {
        {"nothing", found({}), below_a, {}, true},
        {"the key", found({"k"}), key_range::key("k"), {}, true},
        {"another key", found({"l"}), key_range::key("k"), {}, false},
        {"the key twice", found({"k", "k"}), key_range::key("k"), {}, false},
        {"keys of the range", found({"/a/1", "/a/2"}), below_a, {}, true},
        {"one before it", found({"/a", "/a/2"}), below_a, {}, false},
        {"one behind it", found({"/a/1", "/a0"}), below_a, {}, false},
        {"one key twice", found({"/a/1", "/a/1"}), below_a, {}, false},
        {"the wrong way round", found({"/a/2", "/a/1"}), below_a, {}, false},
        {"as was asked for", found({"/a/2", "/a/1"}), below_a, downwards, true},
        {"by their versions", found({"/a/2", "/a/1"}), below_a, by_version, true},
        {"as many as may be", found({"/a/1", "/a/2"}, true), below_a, limited(2), true},
        {"too many", found({"/a/1", "/a/2", "/a/3"}), below_a, limited(2), false},
        {"cut before the limit", found({"/a/1"}, true), below_a, limited(2), false},
        {"cut without a limit", found({"/a/1"}, true), below_a, {}, false},
        {"empty, and more", found({}, true), below_a, limited(2), false},
        {"a count", found({}, true), below_a, counting, true},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        const auto why = not_asked_for(row.answer, row.keys, row.options);
        CHECK(why.has_value() == !row.fits);
        if (why) CHECK(why->code == errc::malformed_response);
    }
}

TEST_CASE("asked for: a previous value is that of the key", "[asked_for]") {
    CHECK_FALSE(not_asked_for(put_response(), "k"));
    CHECK_FALSE(not_asked_for(put_over("k"), "k"));
    CHECK(not_asked_for(put_over("l"), "k").value().detail == "the key l, which was not asked for");
    CHECK_FALSE(not_asked_for(deleted({"/a/1", "/a/2"}), below_a));
    CHECK(not_asked_for(deleted({"/a/1", "/b/2"}), below_a));

    event change;
    change.kv = pair("/a/1");
    CHECK_FALSE(not_asked_for(std::vector<event>{change}, below_a));
    change.prev_kv = pair("/a/1");
    CHECK_FALSE(not_asked_for(std::vector<event>{change}, below_a));
    change.prev_kv = pair("/a/2");
    CHECK(not_asked_for(std::vector<event>{change}, below_a));
    change.prev_kv.reset();
    change.kv = pair("/b");
    CHECK(not_asked_for(std::vector<event>{change}, below_a));
}

TEST_CASE("asked for: each operation of the branch that a transaction took, and those within", "[asked_for]") {
    txn inner;
    inner.then(op::range(key_range::key("deep")));
    txn what;
    what.then(op::range(key_range::key("k"))).then(op::put("p", "1")).then(op::delete_range(below_a)).then(op::txn(inner));
    what.else_(op::range(key_range::key("other")));

    txn_response within;
    within.succeeded = true;
    within.responses = {found({"deep"})};
    txn_response good;
    good.succeeded = true;
    good.responses = {found({"k"}), put_over("p"), deleted({"/a/1"}), within};
    CHECK_FALSE(not_asked_for(good, what));

    const auto with = [&](std::size_t which, op_response other) {
        txn_response answer = good;
        answer.responses[which] = std::move(other);
        return answer;
    };
    CHECK(not_asked_for(with(0, found({"other"})), what));
    CHECK(not_asked_for(with(1, put_over("k")), what));
    CHECK(not_asked_for(with(2, deleted({"k"})), what));
    within.responses = {found({"k"})};
    CHECK(not_asked_for(with(3, within), what));

    good.succeeded = false;
    CHECK(not_asked_for(good, what));   // those are the answers of the other branch
    good.responses = {found({"other"})};
    CHECK_FALSE(not_asked_for(good, what));
    good.responses = {put_over("x"), found({"x"})};   // of another kind, and one too many: its reader's to refuse
    CHECK_FALSE(not_asked_for(good, what));
}
