#pragma once

#include <dynconf/client.hpp>
#include <dynconf/write_outcome.hpp>

#include "simulation/mishap.hpp"
#include "testing/gateway.hpp"
#include "testing/member_server.hpp"
#include "testing/simulation.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// The same exchange again and again, each time with another thing going wrong at another place.

namespace dynconf::simulation_test {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

class exchange_run;

/// One kind of call, as played with a client against a fresh etcd of one member.
struct exchange {
    const char* name;
    /// Tells of what came out otherwise than it may, see exchange_run::expect.
    std::function<asio::awaitable<void>(exchange_run&)> play;
    bool with_auth = false;
    /// It goes on when a call of it was cancelled, so the cancellation is not the end of it.
    bool goes_on = false;
    /// It stands it that history is compacted at any time.
    bool survives_compaction = false;
};

/// What comes between two steps.
struct interruption {
    enum class kind : std::uint8_t { cancellation, compaction };

    kind what = kind::cancellation;
    std::size_t after = 0;   ///< So many handlers of the world have run since the play began.
};

/// One such play, in a world of its own.
class exchange_run {
public:
    exchange_run(const exchange& what, const mishap& wrong, std::optional<interruption> between, const std::filesystem::path& scratch);
    ~exchange_run();
    exchange_run(const exchange_run&) = delete;
    exchange_run& operator=(const exchange_run&) = delete;

    /// Plays it, sees that the client goes on and that nothing is left behind. What was wrong; empty: nothing.
    std::vector<std::string> play();

    // What has passed, once it was played.

    const wire::counters& seen() const noexcept { return wire_.seen(); }
    std::size_t steps() const noexcept { return steps_; }
    /// What was to go wrong has.
    bool struck() const noexcept { return wire_.struck(); }
    bool interrupted() const noexcept { return interrupted_; }

    // For the plays.

    const client& etcd() const noexcept { return *client_; }
    bool cancelled() const noexcept { return interrupted_ && between_->what == interruption::kind::cancellation; }
    bool compacted() const noexcept { return interrupted_ && !cancelled(); }
    /// Nothing goes wrong in this run.
    bool untroubled() const noexcept { return untroubled_; }
    /// An empty folder.
    const std::filesystem::path& folder() const noexcept { return scratch_; }
    asio::any_io_executor executor() { return world_->io().get_executor(); }
    asio::awaitable<void> sleep(milliseconds d);

    auto as_read() { return asio::bind_cancellation_slot(signal_.slot(), asio::as_tuple(asio::use_awaitable)); }
    auto as_write() { return as_outcome(asio::bind_cancellation_slot(signal_.slot(), asio::use_awaitable)); }

    void expect(bool holds, std::string otherwise) {
        if (!holds) wrong_.push_back(std::move(otherwise));
    }
    /// `happened` is true from the moment on at which it is executed; asked now and when all is quiet.
    void expect_truth(write_state told, std::function<bool()> happened, const std::string& of);
    /// Asked when all is quiet.
    void at_the_end(std::function<void()> look) { at_the_end_.push_back(std::move(look)); }

    // The store, past the wire.

    revision_t put(std::string key, std::string value);
    void erase(std::string key);
    void compact(revision_t);
    /// Empty: there is no such key.
    std::string value(std::string_view key) const;
    revision_t revision() const { return cluster_->store().revision(); }
    lease_id grant(std::int64_t seconds);
    bool has_lease(lease_id id) const { return cluster_->store().find_lease(id) != nullptr; }
    std::size_t leases() const { return cluster_->store().leases().size(); }
    testing::gateway& member() noexcept { return *gateway_; }

private:
    bool wait_for(const std::function<bool()>& what, milliseconds most, const std::string& otherwise);
    void run_through(asio::awaitable<void> what, milliseconds most, const std::string& otherwise);

    const exchange& what_;
    std::optional<interruption> between_;
    bool untroubled_;
    std::filesystem::path scratch_;
    std::unique_ptr<testing::simulation> world_;
    std::shared_ptr<testing::cluster> cluster_;
    std::unique_ptr<testing::gateway> gateway_;
    std::shared_ptr<testing::member_server> server_;
    wire wire_;
    asio::cancellation_signal signal_;
    std::optional<client> client_;
    std::vector<std::string> wrong_;
    std::vector<std::function<void()>> at_the_end_;
    testing::time_point interrupted_at_{};
    std::size_t steps_ = 0;
    bool playing_ = false;
    bool interrupted_ = false;
};

/// All kinds of calls.
const std::vector<exchange>& exchanges();

}  // namespace dynconf::simulation_test
