#pragma once

#include <boost/asio/ip/udp.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dynconf::test {

struct dns_srv {
    std::uint16_t priority;
    std::uint16_t weight;
    std::uint16_t port;
    std::string target;   ///< "" or ".": the root.
};

/// What a name server says, or does not.
struct dns_reply {
    unsigned rcode = 0;
    std::vector<dns_srv> records;
    bool silent = false;         ///< No answer at all.
    bool only_by_tcp = false;    ///< Says by UDP that the answer is too long for it.
};
inline dns_reply no_such_name() { return {3, {}}; }

/// The message with which a name server answers that query for SRV records, byte by byte.
std::string dns_message(const std::string& name, const dns_reply& reply, std::uint16_t id = 1);

/// A name server on loopback, by UDP and TCP on one port, with a thread of its own; the handler runs there.
class dns_responder {
public:
    using handler = std::function<dns_reply(const std::string& name)>;

    explicit dns_responder(handler what);
    ~dns_responder();
    dns_responder(const dns_responder&) = delete;

    boost::asio::ip::udp::endpoint address() const;
    /// The names that were asked for, in order; each try counts.
    std::vector<std::string> asked() const;
    std::size_t asked_by_tcp() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace dynconf::test
