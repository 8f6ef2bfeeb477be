#include "support/dns_responder.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <mutex>
#include <thread>
#include <utility>

namespace dynconf::test {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t header_size = 12;
constexpr unsigned type_srv = 33, class_in = 1;

std::string u16(unsigned n) { return {static_cast<char>(n >> 8), static_cast<char>(n)}; }
unsigned number_at(const std::string& s, std::size_t at) {
    return static_cast<unsigned>(static_cast<unsigned char>(s[at]) << 8 | static_cast<unsigned char>(s[at + 1]));
}

std::string labels(const std::string& name) {
    std::string out;
    for (std::size_t at = 0; at < name.size();) {
        const std::size_t dot = std::min(name.find('.', at), name.size());
        if (dot != at) out += static_cast<char>(dot - at) + name.substr(at, dot - at);
        at = dot + 1;
    }
    return out + '\0';
}

/// The name of a query's question.
std::string name_in(const std::string& query) {
    std::string name;
    for (std::size_t at = header_size; at < query.size() && query[at] != 0; at += static_cast<unsigned char>(query[at]) + 1U)
        name += (name.empty() ? "" : ".") + query.substr(at + 1, static_cast<unsigned char>(query[at]));
    return name;
}

}  // namespace

std::string dns_message(const std::string& name, const dns_reply& reply, std::uint16_t id) {
    constexpr unsigned answer = 0x8180;   // a response, recursion desired and available
    std::string out = u16(id) + u16(answer | reply.rcode) + u16(1) + u16(static_cast<unsigned>(reply.records.size())) + u16(0) + u16(0);
    out += labels(name) + u16(type_srv) + u16(class_in);
    for (const dns_srv& r : reply.records) {
        const std::string data = u16(r.priority) + u16(r.weight) + u16(r.port) + labels(r.target);
        out += u16(0xc000 | header_size) + u16(type_srv) + u16(class_in) + u16(0) + u16(60) + u16(static_cast<unsigned>(data.size())) + data;
    }
    return out;
}

struct dns_responder::impl {
    explicit impl(handler h) : what(std::move(h)), stream(io), datagrams(io) {
        for (;;) {   // the port that TCP gets may be taken for UDP
            stream = tcp::acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
            datagrams = udp::socket(io, udp::v4());
            boost::system::error_code taken;
            datagrams.bind(udp::endpoint(asio::ip::address_v4::loopback(), stream.local_endpoint().port()), taken);
            if (!taken) break;
        }
        asio::co_spawn(io, by_udp(), asio::detached);
        asio::co_spawn(io, by_tcp(), asio::detached);
        thread = std::thread([this] { io.run(); });
    }
    ~impl() {
        io.stop();
        thread.join();
    }

    dns_reply reply_to(const std::string& query, bool tcp) {
        const std::string name = name_in(query);
        const std::lock_guard lock(mutex);
        asked.push_back(name);
        if (tcp) ++asked_by_tcp;
        return what(name);
    }

    asio::awaitable<void> by_udp() {
        for (;;) {
            std::array<char, 4096> bytes{};
            udp::endpoint from;
            const auto got = co_await datagrams.async_receive_from(asio::buffer(bytes), from, as_result);
            if (std::get<0>(got)) co_return;
            const std::string query(bytes.data(), std::get<1>(got));
            if (query.size() < header_size) continue;
            dns_reply reply = reply_to(query, false);
            if (reply.silent) continue;
            if (reply.only_by_tcp) reply.records.clear();
            std::string message = dns_message(name_in(query), reply, static_cast<std::uint16_t>(number_at(query, 0)));
            if (reply.only_by_tcp) message[2] = static_cast<char>(message[2] | 0x02);
            co_await datagrams.async_send_to(asio::buffer(message), from, as_result);
        }
    }

    asio::awaitable<void> by_tcp() {
        for (;;) {
            auto [failed, socket] = co_await stream.async_accept(as_result);
            if (failed) co_return;
            std::string length(2, '\0');
            const auto got_length = co_await asio::async_read(socket, asio::buffer(length), as_result);
            if (std::get<0>(got_length)) continue;
            std::string query(number_at(length, 0), '\0');
            const auto got = co_await asio::async_read(socket, asio::buffer(query), as_result);
            if (std::get<0>(got) || query.size() < header_size) continue;
            const dns_reply reply = reply_to(query, true);
            if (reply.silent) continue;
            const std::string message = dns_message(name_in(query), reply, static_cast<std::uint16_t>(number_at(query, 0)));
            const std::string framed = u16(static_cast<unsigned>(message.size())) + message;
            co_await asio::async_write(socket, asio::buffer(framed), as_result);
        }
    }

    const handler what;
    std::mutex mutex;
    std::vector<std::string> asked;
    std::size_t asked_by_tcp = 0;
    asio::io_context io;
    tcp::acceptor stream;
    udp::socket datagrams;
    std::thread thread;
};

dns_responder::dns_responder(handler what) : impl_(std::make_unique<impl>(std::move(what))) {}
dns_responder::~dns_responder() = default;

udp::endpoint dns_responder::address() const { return impl_->datagrams.local_endpoint(); }

std::vector<std::string> dns_responder::asked() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->asked;
}

std::size_t dns_responder::asked_by_tcp() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->asked_by_tcp;
}

}  // namespace dynconf::test
