#include "testing/etcd_store.hpp"

#include "testing/refusal.hpp"

#include <algorithm>

namespace dynconf::testing {
namespace {

constexpr std::string_view no_end("\0", 1);
constexpr std::int64_t overhead = 96;   // of a record, in the database's pages

bool is_tombstone(const key_value& kv) { return kv.version == 0; }
std::int64_t bytes_of(const key_value& kv) { return static_cast<std::int64_t>(kv.key.size() + kv.value.size()) + overhead; }

// What a key was at a revision; null when it did not exist then.
record at_revision(const std::vector<record>& history, revision_t at) {
    auto behind = history.end();
    if (history.back()->mod_revision > at)
        behind = std::upper_bound(history.begin(), history.end(), at,
            [](revision_t r, const record& kv) { return r < kv->mod_revision; });
    if (behind == history.begin() || is_tombstone(**std::prev(behind))) return nullptr;
    return *std::prev(behind);
}

template <class Get>
void sort_by(std::vector<record>& kvs, bool descending, Get get) {
    std::stable_sort(kvs.begin(), kvs.end(), [&](const record& a, const record& b) {
        return descending ? get(*b) < get(*a) : get(*a) < get(*b);
    });
}

void sort(std::vector<record>& kvs, std::int32_t target, bool descending) {
    switch (static_cast<sort_target>(target)) {
        case sort_target::version: return sort_by(kvs, descending, [](const key_value& kv) { return kv.version; });
        case sort_target::create: return sort_by(kvs, descending, [](const key_value& kv) { return kv.create_revision; });
        case sort_target::mod: return sort_by(kvs, descending, [](const key_value& kv) { return kv.mod_revision; });
        case sort_target::value: return sort_by(kvs, descending, [](const key_value& kv) -> std::string_view { return kv.value; });
        default: return sort_by(kvs, descending, [](const key_value& kv) -> std::string_view { return kv.key; });
    }
}

}  // namespace

template <class F>
void etcd_store::each_live(std::string_view key, std::string_view range_end, revision_t at, F&& f) const {
    if (range_end.empty()) {
        const auto found = keys_.find(key);
        if (found == keys_.end()) return;
        if (const record kv = at_revision(found->second, at)) f(kv);
        return;
    }
    for (auto it = keys_.lower_bound(key); it != keys_.end() && (range_end == no_end || it->first < range_end); ++it)
        if (const record kv = at_revision(it->second, at)) f(kv);
}

record etcd_store::live(std::string_view key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? nullptr : at_revision(found->second, revision_ + 1);
}

class etcd_store::writing {
public:
    explicit writing(etcd_store& s) : writing(s, s.revision_) {}
    writing(etcd_store& s, revision_t newest) : store_(s), newest_(newest) {}
    writing(const writing&) = delete;

    ~writing() {
        if (changes_.empty()) return;
        ++store_.revision_;
        store_.log_.push_back(std::move(changes_));
    }

    /// As seen by a read in the middle of it.
    revision_t revision() const { return changes_.empty() ? newest_ : next(); }
    revision_t next() const { return store_.revision_ + 1; }

    put_reply put(const put_request& r) {
        const record before = store_.live(r.key);
        auto kv = std::make_shared<key_value>();
        kv->key = r.key;
        // Deleted a moment ago by the same transaction: a real etcd ends here, with a panic.
        if ((r.ignore_value || r.ignore_lease) && !before) throw refusal(server_errc::stopped);
        kv->value = r.ignore_value ? before->value : r.value;
        kv->lease = r.ignore_lease ? before->lease : r.lease;
        kv->create_revision = before ? before->create_revision : next();
        kv->version = before ? before->version + 1 : 1;
        kv->mod_revision = next();
        if (before) detach(*before);
        if (const auto l = store_.leases_.find(kv->lease); l != store_.leases_.end()) l->second.keys.insert(kv->key);
        store_.keys_[kv->key].push_back(kv);
        add(kv, before);
        return {next(), r.prev_kv ? before : nullptr};
    }

    delete_reply erase(const delete_request& r) {
        delete_reply reply;
        std::vector<record> doomed;
        store_.each_live(r.key, r.range_end, next(), [&](const record& kv) { doomed.push_back(kv); });
        for (const record& kv : doomed) {
            detach(*kv);
            auto tombstone = std::make_shared<key_value>();
            tombstone->key = kv->key;
            tombstone->mod_revision = next();
            history& all = store_.keys_.find(kv->key)->second;
            const record before = at_revision(all, store_.revision_);
            all.push_back(tombstone);
            add(std::move(tombstone), before);
        }
        reply.revision = revision();
        reply.deleted = static_cast<std::int64_t>(doomed.size());
        if (r.prev_kv) reply.prev_kvs = std::move(doomed);
        return reply;
    }

private:
    void add(record kv, record before) {
        store_.size_ += bytes_of(*kv);
        store_.in_use_ += bytes_of(*kv);
        changes_.push_back({std::move(kv), std::move(before)});
    }

    void detach(const key_value& kv) {
        if (const auto l = store_.leases_.find(kv.lease); l != store_.leases_.end()) l->second.keys.erase(kv.key);
    }

    etcd_store& store_;
    revision_t newest_;
    std::vector<change> changes_;
};

range_reply etcd_store::range(const range_request& r, std::optional<revision_t> newest) const {
    range_reply reply{.revision = newest.value_or(revision_), .kvs = {}, .more = false, .count = 0, .keys_only = r.keys_only};
    if (r.revision > reply.revision) throw refusal(server_errc::future_revision);
    const revision_t at = r.revision <= 0 ? reply.revision : r.revision;
    if (at < compacted_) throw refusal(server_errc::compacted);

    const bool filtered = r.min_mod_revision != 0 || r.max_mod_revision != 0 || r.min_create_revision != 0 || r.max_create_revision != 0;
    const bool all = r.limit <= 0 || r.sort_order != 0 || filtered;
    each_live(r.key, r.range_end, at, [&](const record& kv) {
        ++reply.count;
        if (r.count_only || (!all && reply.count > r.limit + 1)) return;
        reply.kvs.push_back(kv);
    });
    if (filtered)
        std::erase_if(reply.kvs, [&](const record& kv) {
            return (r.max_mod_revision != 0 && kv->mod_revision > r.max_mod_revision)
                || (r.min_mod_revision != 0 && kv->mod_revision < r.min_mod_revision)
                || (r.max_create_revision != 0 && kv->create_revision > r.max_create_revision)
                || (r.min_create_revision != 0 && kv->create_revision < r.min_create_revision);
        });
    // A target without an order is ascending; what is sorted by key anyway is not sorted again.
    const bool descending = r.sort_order == static_cast<std::int32_t>(sort_order::descend);
    if (r.sort_target != 0 || descending) sort(reply.kvs, r.sort_target, descending);
    if (r.limit > 0 && reply.kvs.size() > static_cast<std::size_t>(r.limit)) {
        reply.kvs.resize(static_cast<std::size_t>(r.limit));
        reply.more = true;
    }
    return reply;
}

void etcd_store::check_put(const put_request& r) const {
    if ((r.ignore_value || r.ignore_lease) && !live(r.key)) throw refusal(server_errc::key_not_found);
    if (r.lease != 0 && !leases_.contains(r.lease)) throw refusal(server_errc::lease_not_found);
}

put_reply etcd_store::put(const put_request& r) {
    // Alone it is asked for its lease first, in a transaction last.
    if (r.lease != 0 && !leases_.contains(r.lease)) throw refusal(server_errc::lease_not_found);
    check_put(r);
    return writing(*this).put(r);
}

delete_reply etcd_store::erase(const delete_request& r) { return writing(*this).erase(r); }

bool etcd_store::evaluate(const compare& c, revision_t at) const {
    const auto holds = [&](const key_value& kv) {
        const auto number = [&]() -> std::int64_t {
            switch (c.what) {
                case compare::target::create: return kv.create_revision;
                case compare::target::mod: return kv.mod_revision;
                case compare::target::lease: return kv.lease;
                default: return kv.version;
            }
        };
        const auto order = c.what == compare::target::value ? kv.value <=> c.value : number() <=> c.number;
        switch (c.result) {
            case compare::relation::equal: return order == 0;
            case compare::relation::greater: return order > 0;
            case compare::relation::less: return order < 0;
            case compare::relation::not_equal: return order != 0;
        }
        return true;
    };
    bool found = false, all = true;
    each_live(c.key, c.range_end, at, [&](const record& kv) {
        found = true;
        all = all && holds(*kv);
    });
    if (found) return all;
    // A key that does not exist has zeros, but no value, not even an empty one.
    return c.what != compare::target::value && holds(key_value{});
}

// All comparisons are made before the first operation, those of inner transactions too.
void etcd_store::choose_paths(const txn_request& t, revision_t at, std::vector<bool>& paths) const {
    const bool succeeded = std::all_of(t.compares.begin(), t.compares.end(), [&](const compare& c) { return evaluate(c, at); });
    paths.push_back(succeeded);
    for (const op_request& o : succeeded ? t.success : t.failure)
        if (const auto* inner = std::get_if<std::shared_ptr<const txn_request>>(&o)) choose_paths(**inner, at, paths);
}

void etcd_store::inspect(const txn_request& t, const std::vector<bool>& paths, std::size_t& at, inspection what,
    revision_t newest) const {
    for (const op_request& o : paths[at++] ? t.success : t.failure) {
        if (const auto* inner = std::get_if<std::shared_ptr<const txn_request>>(&o)) inspect(**inner, paths, at, what, newest);
        else if (const auto* put = std::get_if<put_request>(&o); put && what == inspection::puts) check_put(*put);
        else if (const auto* range = std::get_if<range_request>(&o); range && what == inspection::ranges && range->revision != 0) {
            if (range->revision > newest) throw refusal(server_errc::future_revision);
            if (range->revision < compacted_) throw refusal(server_errc::compacted);
        }
    }
}

txn_reply etcd_store::run(const txn_request& t, const std::vector<bool>& paths, std::size_t& at, writing& w) {
    txn_reply reply;
    reply.succeeded = paths[at++];
    for (const op_request& o : reply.succeeded ? t.success : t.failure) {
        if (const auto* r = std::get_if<range_request>(&o)) reply.responses.emplace_back(range(*r, w.revision()));
        else if (const auto* p = std::get_if<put_request>(&o)) reply.responses.emplace_back(w.put(*p));
        else if (const auto* d = std::get_if<delete_request>(&o)) reply.responses.emplace_back(w.erase(*d));
        else if (const auto* inner = std::get_if<std::shared_ptr<const txn_request>>(&o))
            reply.responses.emplace_back(std::make_shared<const txn_reply>(run(**inner, paths, at, w)));
    }
    return reply;
}

txn_reply etcd_store::txn(const txn_request& t, std::optional<revision_t> applied) {
    const revision_t newest = applied.value_or(revision_);
    std::vector<bool> paths;
    choose_paths(t, newest, paths);
    for (const inspection what : {inspection::puts, inspection::ranges}) {
        std::size_t at = 0;
        inspect(t, paths, at, what, newest);
    }
    std::size_t at = 0;
    txn_reply reply;
    {
        writing w(*this, newest);
        reply = run(t, paths, at, w);
        reply.revision = w.revision();
    }
    return reply;
}

void etcd_store::compact(revision_t revision) {
    if (revision <= compacted_) throw refusal(server_errc::compacted);
    if (revision > revision_) throw refusal(server_errc::future_revision);
    compacted_ = revision;

    for (auto it = keys_.begin(); it != keys_.end();) {
        history& h = it->second;
        auto keep = std::upper_bound(h.begin(), h.end(), revision,
            [](revision_t r, const record& kv) { return r < kv->mod_revision; });
        if (keep != h.begin() && !is_tombstone(**std::prev(keep))) --keep;
        for (auto gone = h.begin(); gone != keep; ++gone) in_use_ -= bytes_of(**gone);
        h.erase(h.begin(), keep);
        it = h.empty() ? keys_.erase(it) : std::next(it);
    }
    if (revision > first_log_) {
        log_.erase(log_.begin(), log_.begin() + (revision - first_log_));
        first_log_ = revision;
    }
    if (!log_.empty() && revision == first_log_ && !options_.keeps_last_tombstones)
        std::erase_if(log_.front(), [](const change& c) { return c.erased(); });
}

std::span<const change> etcd_store::changes(revision_t revision) const {
    if (revision < first_log_ || revision > revision_) return {};
    return log_[static_cast<std::size_t>(revision - first_log_)];
}

const etcd_store::lease& etcd_store::grant(lease_id id, std::int64_t ttl, time_point now) {
    constexpr std::int64_t greatest = 9'000'000'000;
    if (ttl > greatest) throw refusal(server_errc::lease_ttl_too_large);
    if (id == 0) {
        while (leases_.contains(next_id_)) ++next_id_;
        id = next_id_++;
    }
    if (leases_.contains(id)) throw refusal(server_errc::lease_exists);
    lease& l = leases_[id];
    l.id = id;
    l.granted = std::max(ttl, options_.minimum_ttl);
    l.expiry = now + std::chrono::seconds(l.granted);
    expiries_.emplace(l.expiry, id);
    return l;
}

void etcd_store::end_lease(std::map<lease_id, lease>::iterator it) {
    const auto keys = std::move(it->second.keys);
    expiries_.erase({it->second.expiry, it->first});
    leases_.erase(it);
    writing w(*this);
    for (const std::string& key : keys) w.erase({.key = key, .range_end = {}, .prev_kv = false});
}

void etcd_store::revoke(lease_id id) {
    const auto it = leases_.find(id);
    if (it == leases_.end()) throw refusal(server_errc::lease_not_found);
    end_lease(it);
}

std::int64_t etcd_store::keep_alive(lease_id id, time_point now) {
    const auto it = leases_.find(id);
    if (it == leases_.end()) return 0;
    lease& l = it->second;
    expiries_.erase({l.expiry, id});
    l.expiry = now + std::chrono::seconds(l.granted);
    expiries_.emplace(l.expiry, id);
    return l.granted;
}

const etcd_store::lease* etcd_store::find_lease(lease_id id) const {
    const auto it = leases_.find(id);
    return it == leases_.end() ? nullptr : &it->second;
}

std::optional<time_point> etcd_store::next_expiry() const {
    if (expiries_.empty()) return std::nullopt;
    return expiries_.begin()->first;
}

bool etcd_store::expire(time_point now) {
    bool any = false;
    while (!expiries_.empty() && expiries_.begin()->first <= now) {
        end_lease(leases_.find(expiries_.begin()->second));
        any = true;
    }
    return any;
}

void etcd_store::extend_leases(time_point now, std::chrono::milliseconds by) {
    expiries_.clear();
    for (auto& [id, l] : leases_) {
        l.expiry = now + std::chrono::seconds(l.granted) + by;
        expiries_.emplace(l.expiry, id);
    }
}

namespace {

class fnv {
public:
    void add(std::string_view bytes) {
        for (const char c : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 16777619u;
    }
    void add(const key_value& kv) {
        add(kv.key);
        add(std::string_view("\0", 1));
        add(kv.value);
        for (const std::int64_t n : {kv.create_revision, kv.mod_revision, kv.version, kv.lease}) add(std::to_string(n) + ' ');
    }
    std::uint32_t value() const { return hash_; }

private:
    std::uint32_t hash_ = 2166136261u;
};

}  // namespace

std::uint32_t etcd_store::hash() const {
    fnv h;
    for (const auto& [key, records] : keys_)
        for (const record& kv : records) h.add(*kv);
    h.add(std::to_string(compacted_));
    return h.value();
}

std::uint32_t etcd_store::hash_kv(revision_t revision) const {
    if (revision > revision_) throw refusal(server_errc::future_revision);
    if (revision > 0 && revision < compacted_) throw refusal(server_errc::compacted);
    fnv h;
    each_live(no_end, no_end, revision > 0 ? revision : revision_, [&](const record& kv) { h.add(*kv); });
    return h.value();
}

std::string etcd_store::serialized() const {
    std::string out;
    each_live(no_end, no_end, revision_, [&](const record& kv) {
        out += std::to_string(kv->key.size()) + ' ' + std::to_string(kv->value.size()) + ' ' + std::to_string(kv->mod_revision) + '\n';
        out += kv->key;
        out += kv->value;
    });
    return out;
}

}  // namespace dynconf::testing
