#pragma once

#include <dynconf/client.hpp>
#include <dynconf/options.hpp>
#include <dynconf/write_outcome.hpp>

#include "testing/check.hpp"
#include "testing/gateway.hpp"
#include "testing/history.hpp"
#include "testing/member_server.hpp"
#include "testing/simulation.hpp"
#include "transport/clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// A world of its own for each seed: members, clients that work, others that look on, and what goes wrong meanwhile.

namespace dynconf::simulation_test {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using testing::seeded_random;
using testing::time_point;

/// What the seed has drawn.
struct scenario {
    explicit scenario(std::uint64_t seed);

    seeded_random random;
    std::size_t members = 1;
    std::size_t clients = 2;
    milliseconds length{60'000};     ///< For which things go wrong.
    double trouble = 1;              ///< How often, in a relation.
    double broken_exchanges = 0;     ///< Their part.
    bool usual_options = false;      ///< The client's defaults, and more time for all.
    bool users = false;              ///< Authentication is on.
    client_options options;
    milliseconds to_recover{};       ///< Once nothing goes wrong any more everything has to be well within it.
};

struct verdict {
    std::vector<std::string> faults;   ///< Empty: all is well.
    std::size_t operations = 0;
    std::size_t sights = 0;
    std::size_t troubles = 0;
    milliseconds simulated{};
    std::uint64_t digest = 0;          ///< Of what was done and seen, and when: the same for the same seed.
};

inline const std::string keys = "/s/";   ///< What this is all about.
inline constexpr std::uint64_t key_count = 8;
inline std::string key(std::uint64_t number) { return keys + "k" + std::to_string(number); }

class stage {
public:
    /// `say` gets all that happens, line by line.
    stage(std::uint64_t seed, std::function<void(const std::string&)> say);
    ~stage();

    verdict play();

    // For what happens on it.

    const scenario& drawn() const noexcept { return drawn_; }
    time_point now() const noexcept { return world_->now(); }
    asio::any_io_executor executor() { return world_->io().get_executor(); }
    asio::awaitable<void> sleep(milliseconds d);
    const client& client_of(std::size_t number) const { return clients_[number]; }
    std::vector<std::shared_ptr<testing::member_server>>& members() noexcept { return servers_; }
    testing::gateway& gateway_of(std::size_t member) { return *gateways_[member]; }
    testing::cluster& cluster() noexcept { return *cluster_; }
    testing::history& record() noexcept { return record_; }
    /// The user "app" has another password from now on, which who asks for it is told.
    void change_password();
    /// A login may be under way with the one before.
    bool password_is_new() const noexcept { return passwords_ > 0 && now() - password_changed_ < 30s; }

    /// Nothing goes wrong here.
    bool calm() const noexcept { return drawn_.trouble <= 0 && drawn_.broken_exchanges <= 0; }
    /// Nothing more is to be begun.
    bool over() const noexcept { return over_; }
    /// Those who look on have to go.
    bool closing() const noexcept { return closing_; }
    /// Emitted when they have to.
    asio::cancellation_signal& farewell() { return farewells_.emplace_back(); }
    void trouble_counted() { ++troubles_; }

    void say(const std::function<std::string()>& words);
    void fault(std::string words);

    /// Runs to its end; an exception is a fault. `name` is told of those that do not end. Those who look on stay until they
    /// have to go, all others end once all is over.
    enum class stays : bool { until_over, until_closing };
    void spawn(std::string name, asio::awaitable<void> what, stays how_long = stays::until_over);

    /// Names what is under way.
    class doing {
    public:
        doing(stage& s, std::string what) : list_(s.under_way_), self_(list_.insert(list_.end(), std::move(what))) {}
        doing(const doing&) = delete;
        doing& operator=(const doing&) = delete;
        ~doing() { list_.erase(self_); }

    private:
        std::list<std::string>& list_;
        std::list<std::string>::iterator self_;
    };

    /// A signal that is emitted after some time, if the operation lasts that long: now and then somebody loses patience.
    std::shared_ptr<asio::cancellation_signal> patience(seeded_random& random, double how_often);

    template <class Response>
    void note(std::size_t who, op what, time_point called, const write_outcome<Response>& done) {
        testing::operation& o = noted(who, std::move(what), called, done.state());
        if (done.executed()) o.answer = op_response(done.value());
    }
    testing::operation& noted(std::size_t who, op what, time_point called, write_state state);

    /// What an observer has reached, for the end.
    struct progress {
        std::string name;
        revision_t revision = 0;
        bool live = false;
        bool no_put = false;
    };
    progress& observes(std::string name) {
        progress& p = observers_.emplace_back();
        p.name = std::move(name);
        return p;
    }

private:
    /// False, and a fault, when it has not come to pass after `most`.
    bool wait_for(const std::function<bool()>& what, milliseconds most, const std::string& otherwise);
    bool gone(stays those) const;
    void enable_auth();
    asio::awaitable<credentials> ask_for_credentials();
    asio::awaitable<void> write_last();
    void recover();
    void rest();
    void close();
    void judge();

    /// Sees each change as the store makes it: what the ends of leases have deleted nobody has asked for.
    class witness;

    scenario drawn_;
    std::function<void(const std::string&)> say_;
    std::unique_ptr<testing::simulation> world_;
    time_point began_;
    std::shared_ptr<testing::cluster> cluster_;
    std::unique_ptr<witness> witness_;
    std::vector<std::unique_ptr<testing::gateway>> gateways_;
    std::vector<std::shared_ptr<testing::member_server>> servers_;
    std::string password_ = "password 0";
    std::size_t passwords_ = 0;
    time_point password_changed_{};
    std::vector<client> clients_;
    testing::history record_;
    std::list<std::string> under_way_;
    std::list<std::pair<std::string, stays>> running_;
    std::list<progress> observers_;
    std::list<asio::cancellation_signal> farewells_;
    std::vector<std::string> faults_;
    revision_t last_put_ = 0;
    revision_t last_delete_ = 0;
    std::size_t troubles_ = 0;
    bool over_ = false;
    bool closing_ = false;
};

// The parts of the play; each begins what it is about.

void begin_writers(stage& s, seeded_random& random);
void begin_claims(stage& s, seeded_random& random);
void begin_observers(stage& s, seeded_random& random);
void begin_troubles(stage& s, seeded_random& random);
/// All that went wrong is well again.
void heal(stage& s);

inline const auto in_tuple = asio::as_tuple(asio::use_awaitable);

}  // namespace dynconf::simulation_test
