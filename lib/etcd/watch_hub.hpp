#pragma once

#include <dynconf/error.hpp>

#include "etcd/client_core.hpp"
#include "etcd/watch_sink.hpp"
#include "etcd/watch_subscription.hpp"
#include "policy/looks.hpp"
#include "policy/message_pace.hpp"
#include "policy/watch_plan.hpp"
#include "policy/watch_stream.hpp"
#include "transport/condition.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <memory>
#include <optional>
#include <list>
#include <set>
#include <string>
#include <vector>

namespace dynconf::etcd {

/// The one stream that serves all watches of a client. HTTP/1.1 lets nothing be added to it once it is open, so a change
/// of the watches opens another one, each watch from its next revision, and closes the old one when the new one serves
/// them all; what both bring is dropped by revision. Part of the core, on its strand; runs while there are subscriptions.
class watch_hub {
public:
    using clock = transport::clock;

    explicit watch_hub(client_core& core);
    watch_hub(const watch_hub&) = delete;
    watch_hub& operator=(const watch_hub&) = delete;

    void add(watch_subscription& s);
    void remove(watch_subscription& s);
    /// It wants to be served from another revision.
    void restarted(watch_subscription& s);
    /// The watches that are wanted are others than before.
    void changed();
    /// Brings every subscription a `probed` soon.
    void probe_soon();
    /// Of the stream that serves, or was the last to.
    std::optional<std::size_t> endpoint_index() const noexcept { return served_by_; }
    /// The stream does not deliver what it has to; `why` for the log. Returns when one was last replaced for such a reason: now, unless
    /// the one that serves is too young.
    clock::time_point distrust(const error& why);

private:
    /// One stream with its watches.
    struct link {
        link(std::vector<watch_subscription*> w, std::vector<policy::watch_cursor> starts, const client_options& o)
            : watches(std::move(w)), meaning(std::move(starts)), sink(o.max_message_bytes), pace(o.request_timeout) {}

        std::vector<watch_subscription*> watches;   // by their place in `meaning`; null: gone
        policy::watch_stream meaning;
        watch_sink sink;
        policy::message_pace pace;                  // once it serves
        client_core::stream io;
        response_header confirmed;                  // the last of its watches was
        bool in_pieces = false;                     // it was asked to cut large messages
        bool closed = false;
    };
    using shared_link = std::shared_ptr<link>;

    asio::awaitable<void> run();
    asio::awaitable<void> serve_all();
    void start_opening();
    asio::awaitable<void> open(shared_link l, std::string body);
    asio::awaitable<void> read(shared_link l);
    struct proof { response_header header; clock::time_point sent; };   // a linearizable answer
    asio::awaitable<void> probe();
    asio::awaitable<std::optional<proof>> probe_with_looks(std::size_t member, clock::time_point due);
    struct asked_look { std::size_t place; std::size_t ranges; revision_t after; };   // place in asked_
    bool take_looks(const txn_response& answer, const std::vector<asked_look>& asked, clock::time_point sent);
    asio::awaitable<result<proof>> probe_alone(std::size_t member, std::string key, clock::time_point due);
    void route(const shared_link& l);
    static bool wanted(const link& l) noexcept;
    void deliver(link& l, std::size_t which, policy::watch_cursor::step step);
    void serve(const shared_link& l);
    /// No stream, until somebody wants one.
    void serve_nobody() noexcept;
    void failed(const shared_link& l, error why);
    void close(shared_link& l) noexcept;
    void forget(const watch_subscription& s) noexcept;
    static void forget(link& l, std::size_t which) noexcept;
    void see_if_caught_up() noexcept;
    /// A stream under way that nobody waits for must not hold up the next one.
    void abandon_if_unwanted();

    client_core& core_;
    policy::watch_plan plan_;
    std::list<watch_subscription*> subscriptions_;   // in the order in which they came: a simulation repeats it
    policy::look_sharing sharing_;
    std::vector<watch_subscription*> asked_;   // the looks of the probe under way, by their owners; null: gone
    std::set<watch_subscription*> looked_;     // those that were answered
    shared_link serving_;
    shared_link coming_;            // open, not every watch is confirmed
    std::optional<std::size_t> served_by_;
    bool running_ = false;
    bool opening_ = false;
    bool probing_ = false;
    bool in_pieces_ = false;        // the next stream: its messages were too large
    bool told_ = false;             // why nothing serves
    asio::cancellation_signal stop_opening_;
    asio::cancellation_signal stop_probing_;
    transport::condition moved_;
};

}  // namespace dynconf::etcd
