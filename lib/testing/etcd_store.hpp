#pragma once

#include "testing/gateway_words.hpp"
#include "testing/requests.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::testing {

/// What one etcd is told once.
struct store_options {
    std::int64_t quota_bytes = std::int64_t{2} << 30;
    std::int64_t minimum_ttl = 2;        ///< Seconds; smaller ones are raised to it.
    /// Whether a deletion at the very revision of a compaction can still be watched. Each gateway sets it by its version.
    bool keeps_last_tombstones = true;
};

/// The keys of an etcd with their history, and its leases, as the members of a cluster agree on them. Deterministic; time
/// is given. A copy is a snapshot, to be restored later. What etcd refuses is thrown as `refusal` and changes nothing.
/// Requests are taken as valid: see check() in request_checks.hpp. No thread safety.
class etcd_store {
public:
    explicit etcd_store(store_options options = {}) : options_(options) {}

    revision_t revision() const noexcept { return revision_; }
    /// -1 before the first compaction.
    revision_t compact_revision() const noexcept { return compacted_; }

    /// `newest`: the last revision that the asked member has applied; it is the store's own when absent.
    range_reply range(const range_request&, std::optional<revision_t> newest = {}) const;
    put_reply put(const put_request&);
    delete_reply erase(const delete_request&);
    /// `newest` as above, for one that only reads.
    txn_reply txn(const txn_request&, std::optional<revision_t> newest = {});
    void compact(revision_t revision);

    /// The changes of one revision that is not compacted; none for one that does not exist.
    std::span<const change> changes(revision_t revision) const;
    /// Can `changes` of this revision be watched together with their previous values?
    bool has_previous(revision_t revision) const noexcept { return revision > compacted_; }

    struct lease {
        lease_id id = 0;
        std::int64_t granted = 0;   ///< Seconds.
        time_point expiry;
        std::set<std::string> keys;
    };
    /// `id` 0: etcd chooses one.
    const lease& grant(lease_id id, std::int64_t ttl, time_point now);
    void revoke(lease_id id);
    /// The granted TTL; 0 when there is no such lease.
    std::int64_t keep_alive(lease_id id, time_point now);
    const lease* find_lease(lease_id id) const;
    const std::map<lease_id, lease>& leases() const noexcept { return leases_; }
    std::optional<time_point> next_expiry() const;
    /// Revokes those whose time is over, the first to end first: true when there was one.
    bool expire(time_point now);
    /// What a new leader does: each lease begins anew, and somewhat longer.
    void extend_leases(time_point now, std::chrono::milliseconds by);

    std::uint32_t hash() const;
    /// Of what is visible at `revision`; 0: the newest.
    std::uint32_t hash_kv(revision_t revision) const;

    /// What the database would take on disk, about.
    std::int64_t size() const noexcept { return size_; }
    std::int64_t quota() const noexcept { return options_.quota_bytes; }
    bool has_room_for(std::size_t bytes) const noexcept { return size_ + static_cast<std::int64_t>(bytes) <= options_.quota_bytes; }
    /// Gives back what compaction has left.
    void defragment() noexcept { size_ = in_use_ + base_size; }
    std::int64_t size_in_use() const noexcept { return in_use_ + base_size; }
    void set_quota(std::int64_t bytes) noexcept { options_.quota_bytes = bytes; }
    void keep_last_tombstones(bool keep) noexcept { options_.keeps_last_tombstones = keep; }
    const store_options& options() const noexcept { return options_; }

    /// Every live key and value, as in a snapshot file of our own.
    std::string serialized() const;

private:
    static constexpr std::int64_t base_size = 20480;

    // One write, of one or many operations: all of it has one revision.
    class writing;
    using history = std::vector<record>;   // of one key, oldest first

    bool evaluate(const compare&, revision_t at) const;
    void choose_paths(const txn_request&, revision_t at, std::vector<bool>& paths) const;
    enum class inspection { puts, ranges };
    void inspect(const txn_request&, const std::vector<bool>& paths, std::size_t& at, inspection, revision_t newest) const;
    txn_reply run(const txn_request&, const std::vector<bool>& paths, std::size_t& at, writing&);
    void check_put(const put_request&) const;
    record live(std::string_view key) const;
    template <class F> void each_live(std::string_view key, std::string_view range_end, revision_t at, F&& f) const;
    void end_lease(std::map<lease_id, lease>::iterator);

    store_options options_;
    std::map<std::string, history, std::less<>> keys_;
    revision_t revision_ = 1;
    revision_t compacted_ = -1;
    revision_t first_log_ = 2;   // of log_
    std::vector<std::vector<change>> log_;
    std::map<lease_id, lease> leases_;
    std::set<std::pair<time_point, lease_id>> expiries_;
    lease_id next_id_ = 0x1f00000000000001;
    std::int64_t size_ = base_size;
    std::int64_t in_use_ = 0;
};

}  // namespace dynconf::testing
