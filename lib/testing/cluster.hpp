#pragma once

#include <dynconf/testing/token_kind.hpp>

#include "testing/auth_store.hpp"
#include "testing/etcd_store.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace dynconf::testing {

struct member_info {
    std::uint64_t id = 0;
    std::string name;                      ///< Empty until it has started.
    std::vector<std::string> peer_urls, client_urls;
    bool learner = false;
};

enum class alarm_type : std::int32_t { none, nospace, corrupt };

struct alarm {
    std::uint64_t member = 0;
    alarm_type type = alarm_type::none;
    friend bool operator==(const alarm&, const alarm&) = default;
};

/// What a backup of a cluster holds.
struct cluster_backup {
    etcd_store store;
    auth_store auth;
    std::vector<alarm> alarms;
    std::uint64_t index = 8;   ///< Of the log: tokens name their place in it.
};

struct cluster_options {
    store_options store;
    std::size_t members = 1;
    std::uint64_t id = 0xcdf818194e3a8c32;   // past 2^63, as half of the real ones
    std::uint64_t seed = 1;                  ///< Of tokens and the ids of members.
};

/// What the members of an etcd cluster agree on. Shared by their gateways; no thread safety.
class cluster {
public:
    /// A gateway, which is told what all members learn.
    class listener {
    public:
        virtual void on_commit() = 0;
        virtual void on_token(const std::string& token, const identity&, time_point now) = 0;
        virtual void on_leader_lost() = 0;
        /// The store is another one: nothing that was begun on it goes on.
        virtual void on_replaced() = 0;
        /// A member goes by another id.
        virtual void on_renamed(std::uint64_t /*was*/, std::uint64_t /*is*/) {}

    protected:
        ~listener() = default;
    };

    explicit cluster(cluster_options options = {});

    etcd_store& store() noexcept { return store_; }
    auth_store& auth() noexcept { return auth_; }
    /// To be called after the store was changed otherwise than by a request: the watches look at it.
    void changed();

    std::uint64_t id() const noexcept { return id_; }
    std::uint64_t term() const noexcept { return term_; }
    std::uint64_t index() const noexcept { return index_; }
    /// Another entry in the log.
    void propose() noexcept { ++index_; }

    const std::vector<member_info>& members() const noexcept { return members_; }
    /// Throws when there is none, as the next does not.
    member_info& member(std::uint64_t id);
    const member_info* find_member(std::uint64_t id) const noexcept;
    const member_info& add_member(std::vector<std::string> peer_urls, bool learner);
    void remove_member(std::uint64_t id);
    void update_member(std::uint64_t id, std::vector<std::string> peer_urls);
    void promote_member(std::uint64_t id);

    /// 0: none, until there is one again. No member can write or read linearizably then.
    std::uint64_t leader() const noexcept { return leader_; }
    void lose_leader();
    /// A new term; the leases begin anew, as they do under a new leader.
    void elect(std::uint64_t member, time_point now);

    const std::vector<alarm>& alarms() const noexcept { return alarms_; }
    void raise(alarm);
    /// False when there was none of it.
    bool disarm(alarm);
    bool is_full() const noexcept;

    cluster_backup back_up() const { return {store_, auth_, alarms_, index_}; }
    /// Everything goes back to what `older` has: all streams end, and no token holds.
    void restore(cluster_backup older);
    /// The same under another id, as another cluster: its members have other ids too, and it begins with its first term.
    void restore(cluster_backup older, std::uint64_t id);
    /// Another cluster, with nothing in it.
    void replace(std::uint64_t id) { restore({etcd_store(store_.options()), {}, {}}, id); }

    /// A new token for all members.
    std::string log_in(const std::string& user, token_kind kind, time_point now);

    void attach(listener& l) { listeners_.push_back(&l); }
    void detach(listener& l) { std::erase(listeners_, &l); }

private:
    std::uint64_t random();
    std::uint64_t new_member_id(std::size_t place);

    static constexpr std::uint64_t first_term = 2;

    etcd_store store_;
    auth_store auth_;
    std::uint64_t id_, term_ = first_term, index_ = 8, leader_ = 0;
    std::uint64_t state_;
    std::vector<member_info> members_;
    std::vector<alarm> alarms_;
    std::vector<listener*> listeners_;
};

}  // namespace dynconf::testing
