#include "transport/connector.hpp"

#include "transport/condition.hpp"
#include "transport/deadline.hpp"
#include "transport/socket_stream.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::transport {

using asio::ip::tcp;

namespace {

/// The resolver cannot be interrupted while the system looks a name up, so the wait for it is ended instead.
struct lookup {
    explicit lookup(const asio::any_io_executor& executor) : resolver(executor), arrived(executor) {}

    tcp::resolver resolver;
    condition arrived;
    bool done = false;
    boost::system::error_code ec;
    std::vector<tcp::endpoint> found;
};

connector::time_point within(std::chrono::milliseconds timeout, connector::time_point due) {
    return std::min(clock::now() + timeout, due);
}

}  // namespace

std::shared_ptr<connector> make_connector(const asio::any_io_executor& executor, const client_options& options) {
    if (surroundings* const s = surroundings::current()) return s->make_connector(executor, options);
    return std::make_shared<socket_connector>(executor, options);
}

socket_connector::socket_connector(asio::any_io_executor executor, const client_options& options)
    : executor_(std::move(executor)), connect_timeout_(options.connect_timeout), tls_timeout_(options.tls_timeout),
      log_(options.log), tls_(executor_, options.tls, log_), verifies_(!options.tls.insecure_skip_verify) {}

asio::awaitable<result<std::unique_ptr<byte_stream>>> socket_connector::connect(endpoint to, time_point due) {
    if (to.kind() == endpoint::scheme::unix_socket) co_return co_await connect_unix(to);
    co_return co_await connect_tcp(to, due);
}

asio::awaitable<result<std::vector<tcp::endpoint>>> socket_connector::resolve(const endpoint& to, time_point due) {
    boost::system::error_code not_literal;
    const asio::ip::address literal = asio::ip::make_address(to.host(), not_literal);
    if (!not_literal) co_return std::vector<tcp::endpoint>(1, tcp::endpoint(literal, to.port()));

    const auto state = std::make_shared<lookup>(executor_);
    state->resolver.async_resolve(to.host(), std::to_string(to.port()),
                                  [state](const boost::system::error_code& ec, const tcp::resolver::results_type& found) {
                                      state->done = true;
                                      state->ec = ec;
                                      for (const auto& entry : found) state->found.push_back(entry.endpoint());
                                      state->arrived.notify_all();
                                  });
    if (!state->done) co_await state->arrived.wait(within(connect_timeout_, due));
    if (!state->done) {
        state->resolver.cancel();
        if (co_await was_cancelled()) co_return error{asio::error::operation_aborted, {}};
        co_return error{errc::deadline_exceeded, "name resolution of '" + to.host() + "'"};
    }
    if (state->ec) co_return error{state->ec, "name resolution of '" + to.host() + "'"};
    co_return std::move(state->found);
}

asio::awaitable<result<std::unique_ptr<byte_stream>>> socket_connector::connect_tcp(const endpoint& to, time_point due) {
    std::shared_ptr<tls_context> tls;
    if (to.uses_tls()) {
        auto current = co_await tls_.current(within(connect_timeout_, due));
        if (!current) co_return current.error();
        tls = std::move(*current);
        if (!verifies_) tell_of_no_verification(to);
    }
    auto addresses = co_await resolve(to, due);
    if (!addresses) co_return addresses.error();

    error last{errc::no_endpoint_available, "'" + to.host() + "' has no address"};
    bool judged = false;   // one was there, and TLS said no: more worth telling than that another is not there
    for (const tcp::endpoint& address : *addresses) {
        tcp::socket socket(executor_);
        deadline limit(executor_, [&socket] {
            boost::system::error_code ignored;
            socket.close(ignored);
        });
        limit.expires_at(within(connect_timeout_, due));
        auto [ec] = co_await socket.async_connect(address, as_result);
        limit.disarm();
        if (co_await was_cancelled()) co_return error{asio::error::operation_aborted, {}};
        if (limit.expired() || ec) {
            if (!judged) last = {limit.expired() ? make_error_code(errc::deadline_exceeded) : ec, "connect"};
            continue;
        }
        tune(socket);
        if (!to.uses_tls()) co_return make_stream(std::move(socket));
        auto secured = co_await tls->handshake(std::move(socket), to.host(), within(tls_timeout_, due));
        if (secured) co_return secured;
        if (co_await was_cancelled()) co_return error{asio::error::operation_aborted, {}};
        last = secured.error();
        judged = true;
    }
    co_return last;
}

void socket_connector::tell_of_no_verification(const endpoint& to) {
    std::string words = "anybody may answer in place of " + to.to_string() + ": insecure_skip_verify is set";
    static std::atomic<bool> told = false;   // of the whole process
    if (!log_.is_heard() && !told.exchange(true)) std::fputs(("dynconf: warning: " + words + '\n').c_str(), stderr);
    log_.write(log_level::warning, "tls_not_verified", std::move(words), {{"endpoint", to.to_string()}}, clock::now());
}

asio::awaitable<result<std::unique_ptr<byte_stream>>> socket_connector::connect_unix(const endpoint& to) {
    using local = asio::local::stream_protocol;
    if (to.host().size() >= sizeof(sockaddr_un::sun_path))
        co_return error{errc::invalid_endpoint, "the path of the unix socket is too long"};
    const local::endpoint address(to.host());
    local::socket socket(executor_);
    auto [ec] = co_await socket.async_connect(address, as_result);
    if (ec) co_return error{ec, "connect"};
    co_return make_stream(std::move(socket));
}

}  // namespace dynconf::transport
