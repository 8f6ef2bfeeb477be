#pragma once

#include <dynconf/sealing.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include "etcd/client_core.hpp"
#include "policy/key_questions.hpp"
#include "policy/provided_keys.hpp"
#include "policy/wanted_keys.hpp"
#include "transport/condition.hpp"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::etcd {

/// Values of an answer, by etcd's own keys: what they are opened as, and whether they are the newest.
class values {
public:
    explicit values(range_response& answer, const range_options& asked) { add(answer, asked); }
    explicit values(put_response& answer) { add(answer); }
    explicit values(delete_response& answer) { add(answer); }
    values(txn_response& answer, const txn& asked) { add(answer, asked); }
    explicit values(std::vector<event>& events);

    struct item {
        key_value* kv;
        bool newest;   ///< As far as the answer says: no previous value.
    };
    const std::vector<item>& all() const noexcept { return all_; }
    /// Of the keys that they are sealed with.
    std::set<std::string> key_ids() const;

private:
    void add(range_response& answer, const range_options& asked);
    void add(put_response& answer);
    void add(delete_response& answer);
    void add(txn_response& answer, const txn& asked);

    std::vector<item> all_;
};

/// What a sealed view does to values (client::sealed). Shared by its copies; `keys()` on any thread, the rest on the core's
/// strand.
class sealer : public std::enable_shared_from_this<sealer> {
public:
    using clock = transport::clock;

    /// Ids because of one answer, where no more of the provider's keys are kept.
    static constexpr std::size_t most_asked_for = 256;

    /// std::invalid_argument for options that cannot work.
    sealer(const strand& on, key_ring keys, sealing_options options);

    /// To write with.
    const key_ring& keys() const noexcept { return keys_; }

    /// To open one answer with: the ring, as long as no more is wanted.
    policy::wanted_keys none_yet() const { return {keys_, std::max(most_asked_for, options_.max_provided_keys)}; }
    /// These, too; without asking as far as they are at hand.
    void want(policy::wanted_keys& keys, const std::set<std::string>& ids);
    /// Asks the provider for the others. False: `due` or a cancellation came first; it may be called again, and goes on.
    asio::awaitable<bool> at_hand(policy::wanted_keys& keys, clock::time_point due);

    /// Each value is what was sealed, or its item unreadable.
    void open(client_core& core, const values& what, const policy::wanted_keys& with);
    /// All of it. False when it was cancelled before all keys were at hand.
    asio::awaitable<bool> open(client_core& core, values what, clock::time_point due);

private:
    void ask(const std::string& id);
    void answered(const std::string& id, const result<sealing_key>& what);
    /// Seals what is in the clear at etcd.
    void migrate(client_core& core, const key_value& kv);
    asio::awaitable<void> migrate_all(std::shared_ptr<client_core> core);

    static constexpr std::size_t most_waiting = 1000;   // to be migrated; what comes on top is left for the next reader

    const strand strand_;
    const key_ring keys_;
    const sealing_options options_;
    policy::provided_keys provided_;
    policy::key_questions questions_;
    transport::condition news_;
    std::deque<key_value> clear_;   // the first is under way
    std::set<std::string> clear_keys_;
};

}  // namespace dynconf::etcd
