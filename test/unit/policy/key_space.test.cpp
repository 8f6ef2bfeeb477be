#include "policy/key_space.hpp"

#include "policy/range_walk.hpp"
#include "support/catch.hpp"
#include "wire/requests.hpp"

#include <algorithm>
#include <map>
#include <random>

using namespace dynconf;
using policy::key_space;

namespace {

const std::string zero(1, '\0');

key_value kv_of(std::string key, std::string value = {}) {
    key_value kv;
    kv.key = std::move(key);
    kv.value = std::move(value);
    return kv;
}

range_response found(std::vector<std::string> keys) {
    range_response r;
    for (std::string& key : keys) r.kvs.push_back(kv_of(std::move(key)));
    return r;
}

std::vector<std::string> keys_of(const std::vector<key_value>& kvs) {
    std::vector<std::string> keys;
    for (const key_value& kv : kvs) keys.push_back(kv.key);
    return keys;
}

using strings = std::vector<std::string>;

}  // namespace

TEST_CASE("key space: ranges end where the prefix ends") {
    const struct {
        std::string prefix;
        key_range asked, sent;
    } rows[] = {
        {"/shop/", key_range::key("a"), key_range::key("/shop/a")},
        {"/shop/", key_range::key(""), key_range::key("/shop/")},
        {"/shop/", key_range::prefix("a"), key_range::prefix("/shop/a")},
        {"/shop/", key_range::prefix(""), key_range::prefix("/shop/")},
        {"/shop/", key_range::prefix("\xff"), key_range::interval("/shop/\xff", "/shop0")},
        {"/shop/", key_range::interval("a", "c"), key_range::interval("/shop/a", "/shop/c")},
        {"/shop/", key_range::interval("", "c"), key_range::interval("/shop/", "/shop/c")},
        {"/shop/", key_range::from("a"), key_range::interval("/shop/a", "/shop0")},
        {"/shop/", key_range::from(zero), key_range::interval("/shop/" + zero, "/shop0")},
        {"/shop/", key_range::from(""), key_range::prefix("/shop/")},
        {"/shop/", key_range::all(), key_range::prefix("/shop/")},
        {"/shop", key_range::all(), key_range::interval("/shop", "/shoq")},
        {"\xff", key_range::all(), key_range::from("\xff")},
        {"\xff\xff", key_range::from("a"), key_range::from("\xff\xff" "a")},
        {"\xff", key_range::interval("a", "b"), key_range::interval("\xff" "a", "\xff" "b")},
        {"a\xff", key_range::all(), key_range::interval("a\xff", "b")},
        {zero, key_range::all(), key_range::interval(zero, "\1")},
        {"", key_range::all(), key_range::all()},
        {"", key_range::key("a"), key_range::key("a")},
        {"", key_range::from("a"), key_range::from("a")},
    };
    for (const auto& row : rows) {
        INFO(row.prefix << " " << row.asked.first() << " " << row.asked.range_end());
        CHECK(key_space(row.prefix).to_etcd(row.asked) == row.sent);
    }
    CHECK(key_space("/shop/").to_etcd(std::vector<key_range>{key_range::key("a"), key_range::all()})
          == std::vector<key_range>{key_range::key("/shop/a"), key_range::prefix("/shop/")});
}

TEST_CASE("key space: a transaction gets the prefix at every depth, a claim's own comparison does not") {
    comparison claimed = create_revision_of("/locks/x/1") == 7;
    claimed.absolute = true;
    const auto written = [&](const std::string& p, const key_range& all, const key_range& on) {
        const txn inner = txn().if_(value_of(p + "v") == "1").then(op::delete_range(on)).else_(op::put(p, "empty key"));
        return txn()
            .if_(version_of(p + "a") == 0)
            .if_(create_revision_of(all) == 0)
            .if_(lease_of(on) == 3)
            .if_(claimed)
            .then(op::put(p + "a", "1"))
            .then(op::txn(txn().else_(op::txn(inner))))
            .else_(op::range(all));
    };
    const std::string p = "/shop/";
    const txn asked = written("", key_range::all(), key_range::from("k"));
    const txn sent = written(p, key_range::prefix(p), key_range::interval(p + "k", "/shop0"));
    CHECK(wire::txn_request(key_space(p).to_etcd(asked)) == wire::txn_request(sent));
    CHECK(wire::txn_request(key_space().to_etcd(asked)) == wire::txn_request(asked));
    CHECK(wire::txn_request(asked) != wire::txn_request(sent));
}

TEST_CASE("key space: answers lose the prefix at every depth, and keys of others") {
    const key_space shop("/shop/");
    const strings sent{"/shop/", "/shop/a", "/shop0", "/shop", "/shop.", "a"}, seen{"", "a"};

    range_response range = found(sent);
    put_response mine, theirs;
    mine.prev_kv = kv_of("/shop/a", "1");
    theirs.prev_kv = kv_of("/shop0", "1");
    delete_response deleted;
    deleted.prev_kvs = found(sent).kvs;

    txn_response innermost, inner, outer;
    innermost.responses = {range, mine, theirs, deleted};
    inner.responses = {innermost};
    outer.responses = {inner, range};
    shop.from_etcd(outer);
    REQUIRE(outer.responses.size() == 2);
    CHECK(keys_of(std::get<range_response>(outer.responses[1]).kvs) == seen);
    const auto& depths = std::get<txn_response>(std::get<txn_response>(outer.responses[0]).responses[0]).responses;
    REQUIRE(depths.size() == 4);
    CHECK(keys_of(std::get<range_response>(depths[0]).kvs) == seen);
    CHECK(std::get<put_response>(depths[1]).prev_kv == kv_of("a", "1"));
    CHECK_FALSE(std::get<put_response>(depths[2]).prev_kv);
    CHECK(keys_of(std::get<delete_response>(depths[3]).prev_kvs) == seen);

    std::vector<event> events(3);
    events[0].kv = kv_of("/shop/a", "2");
    events[0].prev_kv = kv_of("/shop/a", "1");
    events[1].kv = kv_of("/shop0");
    events[2].kv = kv_of("/shop/");
    events[2].prev_kv = kv_of("/other/");
    shop.from_etcd(events);
    REQUIRE(events.size() == 2);
    CHECK(events[0].kv == kv_of("a", "2"));
    CHECK(events[0].prev_kv == kv_of("a", "1"));
    CHECK(events[1].kv == kv_of(""));
    CHECK_FALSE(events[1].prev_kv);

    strings keys = sent;
    shop.from_etcd(keys);
    CHECK(keys == seen);
    keys = sent;
    key_space().from_etcd(keys);
    CHECK(keys == sent);
}

// The property: what is done through a key space is what would be done to a store that holds nothing else, and all else
// stays as it was. The store is a model of etcd's: enough of it to have ranges, deletions, conditions and transactions.

namespace {

class model {
public:
    std::map<std::string, std::string> keys;

    op_response execute(const op& o) {
        if (const auto* r = std::get_if<op::range_op>(&o.what())) {
            range_response out;
            out.kvs = in(r->range);
            out.count = static_cast<std::int64_t>(out.kvs.size());
            if (r->options.limit > 0 && out.kvs.size() > static_cast<std::size_t>(r->options.limit)) {
                out.kvs.resize(static_cast<std::size_t>(r->options.limit));
                out.more = true;
            }
            return out;
        }
        if (const auto* p = std::get_if<op::put_op>(&o.what())) {
            put_response out;
            if (const auto old = keys.find(p->key); old != keys.end()) out.prev_kv = kv_of(p->key, old->second);
            keys[p->key] = p->value;
            return out;
        }
        if (const auto* d = std::get_if<op::delete_op>(&o.what())) {
            delete_response out;
            out.prev_kvs = in(d->range);
            out.deleted = static_cast<std::int64_t>(out.prev_kvs.size());
            for (const key_value& kv : out.prev_kvs) keys.erase(kv.key);
            return out;
        }
        return execute(*std::get<op::txn_op>(o.what()).what);
    }

    txn_response execute(const txn& t) {
        txn_response out;
        out.succeeded = std::all_of(t.compares().begin(), t.compares().end(), [this](const comparison& c) { return holds(c); });
        for (const op& o : out.succeeded ? t.success() : t.failure()) out.responses.push_back(execute(o));
        return out;
    }

private:
    std::vector<key_value> in(const key_range& range) const {
        std::vector<key_value> out;
        for (const auto& [key, value] : keys)
            if (range.contains(key)) out.push_back(kv_of(key, value));
        return out;
    }

    bool holds(const comparison& c) const {
        const auto there = in(key_range::raw(c.key, c.range_end));
        if (c.what == comparison::target::version) return (c.number == 0) == there.empty();
        return !there.empty() && std::all_of(there.begin(), there.end(), [&c](const key_value& kv) { return kv.value == c.bytes; });
    }
};

class chance {
public:
    explicit chance(unsigned seed) : engine_(seed) {}

    std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine_); }

    std::string key() {
        std::string k;
        for (auto n = below(4); n > 0; --n) k += std::string("\0/0a\xff", 5)[below(5)];
        return k;
    }
    key_range range() {
        switch (below(6)) {
        case 0: return key_range::key(key());
        case 1: return key_range::prefix(key());
        case 2: return key_range::from(key());
        case 3: return key_range::all();
        case 4: return key_range::from(key()).after(key());
        default: break;
        }
        return key_range::interval(key(), key());
    }
    comparison condition() {
        const key_range on = range();
        if (below(2) == 0) return version_of(on) == 0;
        return value_of(on) == std::to_string(below(3));
    }
    op operation(int depth) {
        switch (below(depth > 0 ? 4 : 3)) {
        case 0: return op::put(key(), std::to_string(below(3)));
        case 1: return below(4) == 0 ? op::delete_range(range()) : op::delete_range(key_range::key(key()));
        case 2: return op::range(range());
        default: return op::txn(transaction(depth - 1));
        }
    }
    txn transaction(int depth) {
        txn t;
        for (auto n = below(3); n > 0; --n) t.if_(condition());
        for (auto n = below(3); n > 0; --n) t.then(operation(depth));
        for (auto n = below(3); n > 0; --n) t.else_(operation(depth));
        return t;
    }

private:
    std::mt19937 engine_;
};

/// What an answer says, to compare.
std::string said(const std::vector<key_value>& kvs) {
    std::string out;
    for (const key_value& kv : kvs) out += "[" + kv.key + "=" + kv.value + "]";
    return out;
}
std::string said(const range_response& r) { return "range " + std::to_string(r.count) + said(r.kvs); }
std::string said(const put_response& r) { return "put " + (r.prev_kv ? said(std::vector<key_value>{*r.prev_kv}) : std::string()); }
std::string said(const delete_response& r) { return "delete " + std::to_string(r.deleted) + said(r.prev_kvs); }
std::string said(const txn_response& t) {
    std::string out = t.succeeded ? "then(" : "else(";
    for (const op_response& r : t.responses) out += std::visit([](const auto& one) { return said(one); }, r) + ";";
    return out + ")";
}

/// All keys of a range, read a page at a time as the client does.
strings paged(const key_space& space, model& store, const key_range& range, std::int64_t page_size) {
    policy::range_walk walk(range, {}, page_size);
    strings keys;
    for (int pages = 0; !walk.done(); ++pages) {
        REQUIRE(pages < 1'000);
        const txn one = txn().then(op::range(space.to_etcd(walk.keys()), walk.options()));
        auto answer = std::get<range_response>(store.execute(one).responses[0]);
        space.from_etcd(answer);
        const auto wrong = walk.on(answer);
        REQUIRE_FALSE(wrong);
        for (const key_value& kv : answer.kvs) keys.push_back(kv.key);
    }
    return keys;
}

}  // namespace

TEST_CASE("key space: through it a store looks as if it held nothing else, and nothing else changes") {
    const std::string prefix = GENERATE(values<std::string>({"/shop/", "/", "a", "0\xff", "\xff", "\xff\xff", std::string(1, '\0')}));
    INFO("the prefix " << prefix);
    const key_space space(prefix);
    chance some(20'261'121);
    const std::string next = key_range::prefix(prefix).range_end();
    std::size_t neighbours = 0;
    for (int round = 0; round < 300; ++round) {
        model alone, shared;
        std::map<std::string, std::string> others;
        for (int i = 0; i < 12; ++i) {
            const std::string key = some.key(), value = std::to_string(some.below(3));
            alone.keys[key] = value;
            shared.keys[prefix + key] = value;
        }
        // Beside it, right before and right after it.
        strings beside{prefix.substr(0, prefix.size() - 1), next, next + some.key(), some.key(), "/shop0", "/shop.", "/shop"};
        for (const std::string& key : beside)
            if (!key.empty() && !key.starts_with(prefix)) others[key] = std::to_string(some.below(3));
        neighbours += others.size();
        shared.keys.insert(others.begin(), others.end());

        for (int step = 0; step < 20; ++step) {
            const txn what = some.transaction(2);
            txn_response answer = shared.execute(space.to_etcd(what));
            space.from_etcd(answer);
            const bool same = said(answer) == said(alone.execute(what));
            REQUIRE(same);
            std::map<std::string, std::string> outside, inside;
            for (const auto& [key, value] : shared.keys)
                if (key.starts_with(prefix)) inside[key.substr(prefix.size())] = value;
                else outside[key] = value;
            REQUIRE(outside == others);
            REQUIRE(inside == alone.keys);
            const key_range range = some.range();
            REQUIRE(paged(space, shared, range, 1) == paged(key_space(), alone, range, 100));
        }
    }
    CHECK(neighbours > 300);
}

TEST_CASE("key space: single keys get the prefix, if there is one, and absolute comparisons never") {
    CHECK(key_space("/shop/").to_etcd(std::string("a")) == "/shop/a");
    CHECK(key_space().to_etcd(std::string("a")) == "a");
    comparison claimed = create_revision_of("/locks/x/1") == 7;
    claimed.absolute = true;
    CHECK(key_space("/shop/").to_etcd(claimed).key == "/locks/x/1");
    claimed.absolute = false;
    CHECK(key_space("/shop/").to_etcd(claimed).key == "/shop//locks/x/1");
    CHECK(key_space().to_etcd(claimed).key == "/locks/x/1");
}
