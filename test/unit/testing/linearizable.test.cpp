// Histories known to be hard, and the answers of etcd that betray them.

#include "support/catch.hpp"
#include "unit/testing/runs.hpp"

using namespace dynconf;
using namespace dynconf::test;

namespace {

using book = run_book;

std::string verdict_of(const run_book& b) {
    const std::string all = b.verdict();
    INFO(all);
    CHECK((all.empty() || all.starts_with("linearizable: ")));
    return all;
}

}  // namespace

TEST_CASE("linearizable: calls one after the other and at once", "[checker]") {
    run_book b;
    b.put(1, 0, 10, "a", "x", 2);
    b.put(2, 5, 30, "a", "y", 3);
    b.get(3, 20, 25, "a", {book::kv("a", "x", 2)}, 2);   // y is under way
    b.get(3, 40, 50, "a", {book::kv("a", "y", 3, 2, 2)}, 3);
    b.erase(1, 60, 70, "a", 1, 4);
    b.erase(1, 80, 90, "a", 0, 4);
    b.get(3, 100, 110, "a", {}, 4);
    CHECK(b.verdict() == "");
}

TEST_CASE("linearizable: a stale read after an acknowledged write", "[checker]") {
    run_book b;
    b.put(1, 0, 10, "a", "x", 2);
    b.put(1, 20, 30, "a", "y", 3);
    SECTION("which says so by its revision") {
        b.get(2, 40, 50, "a", {book::kv("a", "x", 2)}, 2);
        const auto text = verdict_of(b);
        CHECK(has(text, "call 2 was answered from a past that was over when it was called, by call 1"));
        CHECK(has(text, "call 1 of client 1 (0.020 s to 0.030 s): put a=y: done, at revision 3"));
        CHECK(b.check().front().operations == std::vector<std::size_t>{1, 2});
    }
    SECTION("which lies about it") {
        b.get(2, 40, 50, "a", {book::kv("a", "x", 2)}, 3);
        CHECK(has(verdict_of(b), "up to revision 3, then call 2: a=x (mod 2, version 1) instead of a=y (mod 3, version 2)"));
    }
    SECTION("which may be, since it is serializable") {
        range_response a;
        a.count = 1;
        a.kvs = {book::kv("a", "x", 2)};
        b.done(2, 40, 50, op::range(key_range::key("a"), {.read = consistency::serializable}), a, 2);
        CHECK(b.verdict() == "");
    }
    SECTION("serializable, of a content that never was") {
        range_response a;
        a.count = 1;
        a.kvs = {book::kv("a", "y", 2)};
        b.done(2, 40, 50, op::range(key_range::key("a"), {.read = consistency::serializable}), a, 2);
        CHECK(has(verdict_of(b), "never was the content of revision 2"));
    }
}

TEST_CASE("linearizable: read from the future", "[checker]") {
    run_book b;
    SECTION("linearizable") {
        b.get(2, 0, 5, "a", {book::kv("a", "x", 2)}, 2);
        b.put(1, 10, 20, "a", "x", 2);
        CHECK(has(verdict_of(b), "call 1 was answered from a past"));
    }
    SECTION("serializable") {
        range_response a;
        a.count = 1;
        a.kvs = {book::kv("a", "x", 2)};
        b.done(2, 0, 5, op::range(key_range::key("a"), {.read = consistency::serializable}), a, 2);
        b.put(1, 10, 20, "a", "x", 2);
        CHECK(has(verdict_of(b), "read from the future"));
    }
    SECTION("of an unknown outcome") {
        b.get(2, 0, 5, "a", {book::kv("a", "x", 2)}, 2);
        b.unknown(1, 10, op::put("a", "x"));
        CHECK(has(verdict_of(b), "call 1 was made later than what tells of it"));
    }
    SECTION("at a revision that was not there") {
        range_response a;
        b.put(1, 0, 10, "a", "x", 2);
        b.done(2, 20, 30, op::range(key_range::key("a"), {.revision = 5}), a, 2);
        CHECK(has(verdict_of(b), "etcd would have refused it"));
    }
}

TEST_CASE("linearizable: the revision goes back", "[checker]") {
    run_book b;
    b.put(1, 0, 10, "a", "x", 2);
    b.put(1, 20, 30, "a", "y", 3);
    b.put(1, 40, 50, "b", "z", 3);
    CHECK(has(verdict_of(b), "two writes with the same revision"));
}

TEST_CASE("linearizable: a lost update", "[checker]") {
    run_book b;
    b.put(1, 0, 10, "n", "1", 2);
    const auto swap = [](std::string to) {
        return op::txn(txn().if_(mod_revision_of("n") == 2).then(op::put("n", std::move(to))));
    };
    txn_response yes;
    yes.succeeded = true;
    yes.responses.push_back(put_response());
    b.done(2, 20, 40, swap("2"), yes, 3);
    SECTION("both were told that they had won") {
        b.done(3, 20, 40, swap("3"), yes, 4);
        CHECK(has(verdict_of(b), "call 2: its comparisons held, which they do not"));
    }
    SECTION("one was") {
        b.done(3, 20, 40, swap("3"), txn_response(), 3);
        CHECK(b.verdict() == "");
    }
    SECTION("the loser has written all the same") {
        b.done(3, 20, 40, swap("3"), txn_response(), 3);
        b.get(1, 50, 60, "n", {book::kv("n", "3", 4, 3, 2)}, 4);
        CHECK(has(verdict_of(b), "revision 4 (put n=3) was made by no call that could have made it; call 2 had made another one"));
    }
}

TEST_CASE("linearizable: a write of unknown outcome", "[checker]") {
    run_book b;
    b.put(1, 0, 10, "a", "x", 2);
    b.unknown(2, 5, op::put("a", "late"));
    SECTION("that never shows") {
        b.get(1, 20, 30, "a", {book::kv("a", "x", 2)}, 2);
        CHECK(b.verdict() == "");
    }
    SECTION("that shows up late") {
        b.get(1, 20, 30, "a", {book::kv("a", "x", 2)}, 2);
        b.get(1, 40, 50, "a", {book::kv("a", "late", 3, 2, 2)}, 3);
        CHECK(b.verdict() == "");
    }
    SECTION("that is seen, and then not") {
        b.get(1, 40, 50, "a", {book::kv("a", "late", 3, 2, 2)}, 3);
        b.get(1, 60, 70, "a", {book::kv("a", "x", 2)}, 2);
        CHECK(has(verdict_of(b), "call 3 was answered from a past that was over"));
    }
    SECTION("that is seen, and then gone at a later revision") {
        b.get(1, 40, 50, "a", {book::kv("a", "late", 3, 2, 2)}, 3);
        b.get(1, 60, 70, "a", {book::kv("a", "x", 2)}, 3);
        CHECK(has(verdict_of(b), "call 3: a=x (mod 2, version 1) instead of a=late (mod 3, version 2)"));
    }
    SECTION("that was executed twice") {
        b.get(1, 40, 50, "a", {book::kv("a", "late", 3, 2, 2)}, 3);
        b.put(1, 60, 70, "a", "y", 4);
        b.get(1, 80, 90, "a", {book::kv("a", "late", 5, 4, 2)}, 5);
        CHECK(has(verdict_of(b), "revision 5 (put a=late) was made by no call that could have made it; call 1 has explained an earlier one"));
    }
    SECTION("repeated in silence: acknowledged once, executed twice") {
        b.put(3, 20, 90, "a", "again", 5);
        b.get(1, 30, 40, "a", {book::kv("a", "again", 3, 2, 2)}, 3);
        b.put(1, 50, 60, "a", "y", 4);
        CHECK(has(verdict_of(b), "revision 3 (put a=again) was made by no call that could have made it; call 2 had made another one: a write was executed twice"));
    }
    SECTION("of several, the one that fits") {
        b.unknown(3, 5, op::put("b", "1"));
        b.unknown(4, 5, op::put("a", "other"));
        b.unknown(5, 5, op::delete_range(key_range::key("a")));
        // Nobody has seen revision 3. By the version of the next one it was no delete, and of key a.
        b.put(1, 20, 30, "a", "z", 4);
        b.get(1, 40, 50, "a", {book::kv("a", "z", 4, 3, 2)}, 4);
        b.get(1, 60, 70, "b", {}, 4);
        CHECK(b.verdict() == "");
    }
    SECTION("of several, none that fits") {
        b.unknown(3, 5, op::put("b", "1"));
        b.put(1, 20, 30, "a", "z", 4);
        b.get(1, 40, 50, "a", {book::kv("a", "z", 4, 4, 2)}, 4);
        CHECK(has(verdict_of(b), "call 4: a=z (mod 4, version 4) instead of a=z (mod 4, version"));
    }
}

TEST_CASE("linearizable: what was said not to be executed was", "[checker]") {
    run_book b;
    b.put(1, 0, 10, "a", "x", 2);
    b.failed(2, 20, 30, op::put("a", "refused"));
    b.get(1, 40, 50, "a", {book::kv("a", "refused", 3, 2, 2)}, 3);
    CHECK(has(verdict_of(b), "call 1 was said not to be executed"));
    CHECK(b.check().front().operations == std::vector<std::size_t>{1});
}

TEST_CASE("linearizable: half of a transaction", "[checker]") {
    run_book b;
    const op both = op::txn(txn().then(op::put("a", "t")).then(op::put("b", "t")));
    SECTION("acknowledged") {
        txn_response yes;
        yes.succeeded = true;
        yes.responses = {put_response(), put_response()};
        b.done(1, 0, 10, both, yes, 2);
        b.get(2, 20, 30, "a", {book::kv("a", "t", 2)}, 2);
        b.get(2, 40, 50, "b", {}, 2);
        CHECK(has(verdict_of(b), "call 2: count 0 instead of 1"));
    }
    SECTION("of unknown outcome") {
        b.unknown(1, 0, both);
        b.get(2, 20, 30, "a", {book::kv("a", "t", 2)}, 2);
        b.get(2, 40, 50, "b", {}, 2);
        CHECK(has(verdict_of(b), "call 2: count 0 instead of 1"));
    }
    SECTION("in two revisions") {
        b.unknown(1, 0, both);
        b.get(2, 20, 30, "a", {book::kv("a", "t", 2)}, 2);
        b.get(2, 40, 50, "b", {book::kv("b", "t", 3)}, 3);
        CHECK(has(verdict_of(b), "revision 3 (put b=t) was made by no call"));
    }
}

TEST_CASE("linearizable: comparisons, branches and transactions within", "[checker]") {
    run_book b;
    b.put(1, 0, 5, "a", "5", 2);
    b.put(1, 6, 9, "b", "5", 3);
    const auto judged = [&](comparison c, bool held) {
        txn_response a;
        a.succeeded = held;
        b.done(1, 20, 30, op::txn(txn().if_(std::move(c))), a, 3);
    };
    const auto range = key_range::prefix("");
    SECTION("all that hold") {
        judged(version_of("a") == 1, true);
        judged(version_of("none") == 0, true);
        judged(create_revision_of("b") > 2, true);
        judged(mod_revision_of("b") < 4, true);
        judged(lease_of("a") != 1, true);
        judged(value_of("a") == "5", true);
        judged(value_of("a") < "6", true);
        judged(value_of(range) == "5", true);
        judged(mod_revision_of(range) > 2, false);
        judged(value_of("none") != "x", false);
        judged(version_of(key_range::prefix("z")) == 0, true);
        CHECK(b.verdict() == "");
    }
    SECTION("and one that does not") {
        judged(value_of("a") > "6", true);
        CHECK(has(verdict_of(b), "its comparisons held, which they do not"));
    }
    SECTION("nested: all is decided before anything is written, and read at the new revision") {
        txn inner = txn().if_(version_of("c") == 0).then(op::range(key_range::key("c"))).else_(op::put("d", "no"));
        const op outer = op::txn(txn().then(op::put("c", "1")).then(op::txn(std::move(inner))));
        range_response c;
        c.count = 1;
        c.kvs = {book::kv("c", "1", 4)};
        txn_response in, out;
        in.succeeded = out.succeeded = true;
        in.responses.push_back(c);
        out.responses.push_back(put_response());
        out.responses.push_back(in);
        b.done(1, 20, 30, outer, out, 4);
        CHECK(b.verdict() == "");
    }
}

TEST_CASE("linearizable: ranges, revisions, orders and limits", "[checker]") {
    run_book b;
    b.put(1, 0, 1, "a", "3", 2);
    b.put(1, 2, 3, "b", "2", 3);
    b.put(1, 4, 5, "c", "1", 4);
    b.put(1, 6, 7, "a", "4", 5);
    const auto read = [&](range_options o, std::vector<key_value> kvs, std::int64_t count, bool more = false) {
        range_response a;
        a.kvs = std::move(kvs);
        a.count = count;
        a.more = more;
        b.done(1, 20, 30, op::range(key_range::all(), o), a, 5);
    };
    const key_value a1 = book::kv("a", "3", 2), a2 = book::kv("a", "4", 5, 2, 2), b1 = book::kv("b", "2", 3), c1 = book::kv("c", "1", 4);
    SECTION("right") {
        read({}, {a2, b1, c1}, 3);
        read({.revision = 4}, {a1, b1, c1}, 3);
        read({.revision = 3}, {a1, b1}, 2);
        read({.limit = 2}, {a2, b1}, 3, true);
        read({.order = sort_order::descend}, {c1, b1, a2}, 3);
        read({.order = sort_order::ascend, .target = sort_target::value}, {c1, b1, a2}, 3);
        read({.count_only = true}, {}, 3);
        read({.min_mod_revision = 4}, {a2, c1}, 3);
        // b and c have the same version, so etcd may give either first.
        read({.order = sort_order::ascend, .target = sort_target::version}, {c1, b1, a2}, 3);
        CHECK(b.verdict() == "");
    }
    SECTION("the wrong revision") {
        read({.revision = 4}, {a2, b1, c1}, 3);
        CHECK(has(verdict_of(b), "a=4 (mod 5, version 2), b=2 (mod 3, version 1), c=1 (mod 4, version 1) instead of a=3"));
    }
    SECTION("cut without a word") {
        read({.limit = 2}, {a2, b1}, 3);
        CHECK(has(verdict_of(b), "no word of more to come"));
    }
}

TEST_CASE("linearizable: leases end by themselves, and others may write elsewhere", "[checker]") {
    run_book b;
    b.done(1, 0, 10, op::put("a", "x", {.lease = 7}), put_response(), 2);
    SECTION("the end of the lease") {
        b.get(1, 20, 30, "a", {}, 3);
        CHECK(b.verdict() == "");
    }
    SECTION("a second end") {
        b.get(1, 20, 30, "a", {}, 4);
        CHECK(has(verdict_of(b), "revision 4 was made by no call"));
    }
    SECTION("a revision of somebody else") {
        b.put(1, 20, 30, "b", "y", 40);
        CHECK(has(verdict_of(b), "was made by no call"));
        b.h.foreign_writers = true;
        CHECK(b.verdict() == "");
    }
}

TEST_CASE("linearizable: the content at the end", "[checker]") {
    run_book b;
    b.put(1, 0, 10, "a", "x", 2);
    b.unknown(2, 0, op::put("b", "y"));
    SECTION("with what nobody had been told of") {
        b.end(100, 3, {book::kv("a", "x", 2), book::kv("b", "y", 3)});
        CHECK(b.verdict() == "");
    }
    SECTION("without what was acknowledged") {
        b.end(100, 2, {});
        CHECK(has(verdict_of(b), "then the content at the end: it has nothing instead of a=x"));
    }
}
