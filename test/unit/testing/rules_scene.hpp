#pragma once

#include "support/catch.hpp"
#include "unit/testing/runs.hpp"

#include <string>

namespace dynconf::test {

using book = run_book;

/// Four revisions: 2 puts a, 3 puts a and b at once, 4 deletes a, 5 puts b.
struct four_revisions : run_book {
    key_value a2 = kv("a", "x", 2), a3 = kv("a", "y", 3, 2, 2), b3 = kv("b", "y", 3), b5 = kv("b", "z", 5, 2, 3);
    event second = put_event(a2), third_a = put_event(a3), third_b = put_event(b3), fourth = delete_event("a", 4), fifth = put_event(b5);

    four_revisions() {
        put(1, 0, 10, "a", "x", 2);
        txn_response yes;
        yes.succeeded = true;
        yes.responses = {put_response(), put_response()};
        done(1, 20, 30, op::txn(txn().then(op::put("a", "y")).then(op::put("b", "y"))), yes, 3);
        erase(1, 40, 50, "a", 1, 4);
        put(1, 60, 70, "b", "z", 5);
        end(9'000, 5, {b5});
    }
    /// A watch that has seen it all.
    observer& good() {
        observer& w = watch();
        w.seen = {started(0, 2), batch(15, {second}), batch(35, {third_a, third_b}), bookmark(36, 3), batch(55, {fourth}), batch(75, {fifth}), bookmark(80, 5)};
        return w;
    }
    observer& mirror() {
        observer& m = watch("mirror");
        m.what = observer::kind::mirror;
        m.seen = {snapshot(18, 2, {a2}), live(19), batch(35, {third_a, third_b}), batch(55, {fourth}), batch(75, {fifth})};
        return m;
    }
};

/// Every violation is of that rule; its words.
inline std::string only(rule expected, const run_book& b, check_options options = {}) {
    const auto all = b.check(options);
    const std::string text = b.verdict(options);
    INFO(text);
    CHECK_FALSE(all.empty());
    for (const violation& v : all) CHECK(name_of(v.broken) == name_of(expected));
    return text;
}

}  // namespace dynconf::test
