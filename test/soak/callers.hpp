#pragma once

#include "support/history_recorder.hpp"
#include "support/io_threads.hpp"
#include "testing/history.hpp"

#include <dynconf/client.hpp>

#include <boost/asio/cancellation_signal.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace dynconf::test {

/// Clients of the library behind the relays, on a thread of their own: calls of KV, bulk, leases and locks, beside a watch
/// and a mirror. All that they are told and see goes into the history. The keys lie below "soak/".
class soak_callers {
public:
    /// `start`: what etcd has before anybody writes. `members` are past the relays: a watch at each sees what all others may
    /// have missed.
    soak_callers(const std::vector<std::string>& endpoints, const std::vector<std::string>& members, std::chrono::milliseconds max_staleness, std::uint64_t seed, testing::known_state start);

    /// The newest revision of an answer.
    std::int64_t revision() const noexcept { return newest_; }
    /// A compaction that is about to be asked for.
    void compacted(testing::time_point at, std::int64_t revision);
    /// No more calls; false when some do not end in time.
    bool stop_calling(std::chrono::seconds limit);
    /// Until all who look on have seen everything up to that revision.
    bool await(std::int64_t revision, std::chrono::seconds limit) const;
    /// Nobody looks any more; false when some do not end in time.
    bool stop_looking(std::chrono::seconds limit);
    /// After that, once.
    testing::history take() { return std::move(past_); }
    /// Those that have not ended, and what was thrown.
    std::string left() const;

private:
    using clock = std::chrono::steady_clock;

    void start(std::string name, asio::awaitable<void> what, std::atomic<unsigned>& of);
    asio::awaitable<void> call(unsigned number, client c, std::uint64_t seed);
    asio::awaitable<void> work_in_bulk(unsigned number, client c, std::uint64_t seed);
    asio::awaitable<void> lease(unsigned number, client c, std::uint64_t seed);
    asio::awaitable<void> lock(unsigned number, client c, std::uint64_t seed);
    asio::awaitable<void> note_loss(claim mine, std::size_t holding);
    asio::awaitable<void> watch(std::string name, client c, std::size_t number);
    asio::awaitable<void> follow(client c, std::size_t number);
    testing::operation& note(unsigned number, op what, clock::time_point called, write_state state);
    void note_lease(unsigned number, testing::lease_operation::kind what, lease_id id, clock::time_point called, write_state state, std::int64_t ttl = 0);
    testing::observer& observe(std::string name, std::vector<key_range> ranges);

    testing::history past_;
    history_recorder record_{past_};
    std::list<testing::observer> observers_;
    std::map<std::string, revision_t> mod_;
    std::atomic<bool> stop_{false}, done_looking_{false};
    std::atomic<unsigned> calling_{0}, looking_{0};
    std::atomic<std::int64_t> newest_{0};
    std::deque<std::atomic<std::int64_t>> reached_;      // by those who look on
    std::list<asio::cancellation_signal> farewells_;     // theirs
    std::list<std::string> running_;   // of the thread
    std::string thrown_;
    std::optional<io_threads> thread_;
};

}  // namespace dynconf::test
