#include "policy/sealed_txn.hpp"

#include "policy/key_space.hpp"
#include "support/catch.hpp"
#include "testing/kv_model.hpp"

#include <random>
#include <string>
#include <utility>
#include <variant>

using namespace dynconf;
using namespace dynconf::policy;

namespace {

const key_ring& ring() {
    static const key_ring made("k1", sealing_key::generate());
    return made;
}

const op::put_op& put_of(const op& o) { return std::get<op::put_op>(o.what()); }

key_value item(std::string key, std::string value, revision_t mod) {
    key_value kv;
    kv.key = std::move(key);
    kv.value = std::move(value);
    kv.mod_revision = mod;
    return kv;
}

range_response answer(std::vector<key_value> kvs, revision_t revision = 20) {
    range_response r;
    r.header.revision = revision;
    r.kvs = std::move(kvs);
    return r;
}

/// "mod a = 7, value b < x": the comparisons of a transaction, to read.
std::string shown(const txn& what) {
    std::string all;
    for (const comparison& c : what.compares()) {
        constexpr const char* targets[] = {"version", "create", "mod", "value", "lease"};
        constexpr const char* relations[] = {"=", "!=", "<", ">"};
        if (!all.empty()) all += ", ";
        all += targets[static_cast<int>(c.what)] + std::string(" ") + c.key + (c.range_end.empty() ? "" : ".." + c.range_end) + " "
            + relations[static_cast<int>(c.is)] + " " + (c.what == comparison::target::value ? c.bytes : std::to_string(c.number));
    }
    return all;
}

/// What `compare` becomes when that was read: the guards, then what is left inside.
std::string decided(comparison compare, range_response read) {
    const txn what = txn().if_(std::move(compare)).then(op::put("x", "1"));
    auto whole = value_comparisons(what).decided(what, {std::move(read)});
    REQUIRE(whole);
    REQUIRE(whole->success().size() == 1);
    const auto& inner = std::get<op::txn_op>(whole->success()[0].what());
    CHECK(put_of(inner.what->success().at(0)).value == "1");
    return shown(*whole) + " | " + shown(*inner.what);
}

}  // namespace

TEST_CASE("sealed txn: every put is sealed for its own key, at all levels", "[crypto]") {
    put_options keeps;
    keeps.ignore_value = true;
    txn what = txn().if_(version_of("a") == 0).if_(value_of("b") == "2");
    what.then(op::put("a", "1")).then(op::put("b", "", keeps)).then(op::range(key_range::all()));
    what.else_(op::txn(txn().then(op::put("c", "3", {.lease = 9})).else_(op::delete_range(key_range::key("d")))));
    const txn sealed = with_sealed_puts(what, ring());
    CHECK(shown(sealed) == "version a = 0, value b = 2");
    REQUIRE(sealed.success().size() == 3);
    CHECK(ring().open("a", put_of(sealed.success()[0]).value).value() == "1");
    CHECK(put_of(sealed.success()[1]).value.empty());   // etcd wants none there
    CHECK(std::holds_alternative<op::range_op>(sealed.success()[2].what()));
    const txn& inner = *std::get<op::txn_op>(sealed.failure().at(0).what()).what;
    const op::put_op& deep = put_of(inner.success().at(0));
    CHECK(ring().open("c", deep.value).value() == "3");
    CHECK(deep.options.lease == 9);
    CHECK(std::holds_alternative<op::delete_op>(inner.failure().at(0).what()));
}

TEST_CASE("sealed txn: a comparison of values becomes one of revisions", "[crypto]") {
    const auto a = [](const char* value) { return answer({item("a", value, 7)}); };
    const key_range keys = key_range::interval("a", "c");
    const auto two = [] { return answer({item("a", "1", 7), item("b", "2", 9)}); };
    // true: it is left out inside
    CHECK(decided(value_of("a") == "1", a("1")) == "mod a = 7 | ");
    CHECK(decided(value_of("a") != "1", a("2")) == "mod a = 7 | ");
    CHECK(decided(value_of("a") < "2", a("1")) == "mod a = 7 | ");
    CHECK(decided(value_of("a") > "1", a("\xff")) == "mod a = 7 | ");   // bytes have no sign
    // false: inside there is one that never holds
    CHECK(decided(value_of("a") == "1", a("2")) == "mod a = 7 | version a < 0");
    CHECK(decided(value_of("a") != "1", a("1")) == "mod a = 7 | version a < 0");
    CHECK(decided(value_of("a") == "", answer({})) == "version a = 0 | version a < 0");
    CHECK(decided(value_of("a") != "1", answer({})) == "version a = 0 | version a < 0");
    // ranges
    CHECK(decided(value_of(keys) < "3", two()) == "mod a..c < 21, version a..c > 0 | ");
    CHECK(decided(value_of(keys) == "1", two()) == "mod b = 9 | version a < 0");
    CHECK(decided(value_of(keys) == "1", answer({})) == "version a..c = 0 | version a < 0");
}

TEST_CASE("sealed txn: an unreadable value is not compared, one that does not count is passed over", "[crypto]") {
    key_value broken = item("b", "", 9);
    broken.unreadable = errc::seal_broken;
    const txn what = txn().if_(value_of(key_range::interval("a", "c")) == "1");
    const value_comparisons compares(what);
    const auto refused = compares.decided(what, {answer({item("a", "1", 7), broken})});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::seal_broken);
    CHECK(refused.error().detail.find('b') != std::string::npos);
    CHECK(compares.decided(what, {answer({item("a", "2", 7), broken})}));
}

TEST_CASE("sealed txn: sorts by value are seen at all levels", "[crypto]") {
    range_options by_value;
    by_value.target = sort_target::value;
    CHECK_FALSE(sorts_by_value(by_value));
    by_value.order = sort_order::descend;
    CHECK(sorts_by_value(by_value));
    const op read = op::range(key_range::all(), by_value);
    CHECK(sorts_by_value(txn().then(read)));
    CHECK(sorts_by_value(txn().else_(op::txn(txn().else_(read)))));
    CHECK_FALSE(sorts_by_value(txn().then(op::range(key_range::all())).then(op::put("a", "1"))));
}

namespace {

/// Random transactions on few keys and values, so that all that can happen does.
class chance {
public:
    explicit chance(unsigned seed) : random_(seed) {}

    std::size_t below(std::size_t n) { return random_() % n; }
    std::string key() { return std::string(1, static_cast<char>('a' + below(4))); }
    std::string value() { return std::string(below(3), static_cast<char>('1' + below(2))); }

    txn transaction(unsigned depth = 2) {
        txn what;
        for (std::size_t i = below(3); i > 0; --i) what.if_(condition());
        std::string unused = "abcd";   // etcd refuses a key that is put twice
        if (depth > 0 && below(3) == 0) what.then(op::txn(transaction(depth - 1)));
        else for (std::size_t i = below(3); i > 0; --i) what.then(change(unused));
        unused = "abcd";
        if (depth > 0 && below(3) == 0) what.else_(op::txn(transaction(depth - 1)));
        else for (std::size_t i = below(3); i > 0; --i) what.else_(change(unused));
        return what;
    }
    op change() {
        std::string unused = "abcd";
        return change(unused);
    }

private:
    op change(std::string& unused) {
        const std::size_t at = below(unused.size());
        const std::string key(1, unused[at]);
        unused.erase(at, 1);
        if (below(3) == 0) return op::delete_range(key_range::key(key), {.prev_kv = true});
        return op::put(key, value(), {.prev_kv = true});
    }
    comparison condition() {
        const key_range keys = below(2) == 0 ? key_range::key(key()) : key_range::interval("a", std::string(1, static_cast<char>('b' + below(4))));
        switch (below(6)) {
            case 0: return version_of(keys) == 0;
            case 1: return value_of(keys) == value();
            case 2: return value_of(keys) != value();
            case 3: return value_of(keys) < value();
            case 4: return value_of(keys) > value();
            default: return mod_revision_of(keys) > static_cast<revision_t>(below(30));
        }
    }

    std::mt19937 random_;
};

/// Of an answer all but the headers, which say less in a transaction within another.
std::string shown(const op_response& r);
std::string shown(const key_value& kv) { return kv.key + "=" + kv.value + "@" + std::to_string(kv.mod_revision) + " "; }
std::string shown(const range_response& r) { return "range " + std::to_string(r.count); }
std::string shown(const put_response& r) { return "put " + (r.prev_kv ? shown(*r.prev_kv) : ""); }
std::string shown(const delete_response& r) {
    std::string all = "deleted " + std::to_string(r.deleted) + " ";
    for (const key_value& kv : r.prev_kvs) all += shown(kv);
    return all;
}
std::string shown(const txn_response& r) {
    std::string all = r.succeeded ? "then(" : "else(";
    for (const op_response& o : r.responses) all += shown(o);
    return all + ")";
}
std::string shown(const op_response& r) {
    return std::visit([](const auto& what) { return shown(what); },
                      static_cast<const std::variant<range_response, put_response, delete_response, txn_response>&>(r));
}

std::string content_of(const testing::kv_model& model) {
    std::string all;
    for (const key_value* kv : model.content(key_range::all(), model.revision())) all += shown(*kv);
    return all;
}

}  // namespace

TEST_CASE("sealed txn: executed by revisions it does what it would have done by values", "[crypto]") {
    unsigned moved = 0, executed = 0;
    for (unsigned seed = 0; seed < 4000; ++seed) {
        CAPTURE(seed);
        chance random(seed);
        testing::kv_model by_values{testing::known_state{}};
        testing::kv_model by_revisions{testing::known_state{}};
        const auto both = [&](const op& o) {
            by_values.execute(o);
            by_revisions.execute(o);
        };
        for (std::size_t i = random.below(8); i > 0; --i) both(random.change());

        const txn what = random.transaction();
        const value_comparisons compares(what);
        std::vector<range_response> read;
        for (const key_range& keys : compares.ranges()) {
            range_response& r = read.emplace_back(answer({}, by_revisions.revision()));
            for (const key_value* kv : by_revisions.content(keys, by_revisions.revision())) r.kvs.push_back(*kv);
            if (random.below(4) == 0) both(random.change());   // others come in between
        }
        const auto whole = compares.decided(what, read);
        REQUIRE(whole);
        REQUIRE(value_comparisons(*whole).none());
        const auto answered = by_revisions.execute(op::txn(*whole));
        REQUIRE_FALSE(answered.refused);
        const auto& outer = std::get<txn_response>(answered.answer);
        if (!outer.succeeded) {   // to be done again: it has changed nothing
            ++moved;
            REQUIRE(content_of(by_revisions) == content_of(by_values));
            continue;
        }
        ++executed;
        const auto expected = by_values.execute(op::txn(what));
        REQUIRE(shown(outer.responses.at(0)) == shown(expected.answer));
        REQUIRE(content_of(by_revisions) == content_of(by_values));
    }
    CHECK(moved > 100);
    CHECK(executed > 2000);
}
