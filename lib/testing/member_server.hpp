#pragma once

#include <dynconf/testing/faults.hpp>

#include "testing/gateway.hpp"
#include "testing/seeded_random.hpp"
#include "transport/byte_stream.hpp"
#include "transport/condition.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace dynconf::testing {

namespace asio = boost::asio;

/// A member as its clients meet it: its gateway behind HTTP/1.1, on any byte_stream, with all that can go wrong on the way.
/// One thread.
class member_server : public std::enable_shared_from_this<member_server> {
public:
    /// Who carries a connection: how it is reset depends on it.
    struct connection {
        std::unique_ptr<transport::byte_stream> stream;
        std::function<void(transport::byte_stream&)> reset;
    };

    member_server(asio::any_io_executor executor, gateway& serves, std::string name, seeded_random random);
    ~member_server();

    void serve(connection);

    const link_faults& faults() const noexcept { return faults_; }
    void set_faults(const link_faults& f) {
        faults_ = f;
        changed_.notify_all();
    }
    /// Requests are taken, and answered once this ends; the streams are silent. As a process that is stopped.
    void pause(bool stopped) {
        paused_ = stopped;
        changed_.notify_all();
    }
    bool accepts() const noexcept { return !faults_.refuse; }
    /// A new connection has to wait, as what is to open it is lost.
    bool loses_connects() const noexcept { return faults_.hold_requests || faults_.hold_answers; }
    transport::condition& changed() noexcept { return changed_; }
    std::chrono::milliseconds one_way() { return faults_.latency + random_.between(std::chrono::milliseconds(0), faults_.jitter); }

    /// All open connections, now.
    void cut_connections(bool reset);
    std::size_t open_connections() const noexcept { return open_.size(); }
    std::size_t open_streams() const noexcept { return streams_; }

    /// Ends all that goes on; nothing is served any more, and the gateway is not needed.
    void close();

    /// Asked at each request, once its head is there, what goes wrong with it.
    std::function<exchange_fault(const request&)> plan;
    /// Told of each request that came whole.
    std::function<void(const request&)> came;
    /// Told what happens, in plain words.
    std::function<void(const std::string&)> trace;

    const std::string& name() const noexcept { return name_; }
    const asio::any_io_executor& executor() const noexcept { return executor_; }

private:
    class link;

    asio::awaitable<void> serve_all(std::shared_ptr<link> on);
    asio::awaitable<void> serve_stream(link& on, stream& lines, const exchange_fault& wrong);
    asio::awaitable<void> pump();
    asio::awaitable<void> sleep(std::chrono::milliseconds d);
    void tell(const std::function<std::string()>& words) const {
        if (trace) trace(words());
    }
    void stir();

    asio::any_io_executor executor_;
    gateway& gateway_;
    std::string name_;
    seeded_random random_;
    link_faults faults_;
    bool paused_ = false;
    bool closed_ = false;
    transport::condition changed_;   // faults, paused, closed
    transport::condition stirred_;   // a stream may have something
    transport::condition due_;       // the gateway may have to be advanced earlier
    std::map<std::size_t, link*> open_;
    std::size_t accepted_ = 0;
    std::size_t streams_ = 0;
    bool advancing_ = false;
    std::optional<time_point> advance_at_;
};

}  // namespace dynconf::testing
