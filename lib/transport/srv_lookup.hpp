#pragma once

#include "policy/srv_records.hpp"

#include <boost/asio/ip/udp.hpp>

#include <span>
#include <string>
#include <vector>

namespace dynconf::transport {

/// The records of a DNS message that answers a query for SRV records. Whatever else the answer holds is passed over, as are
/// the names that led there. No record is taken from a message that is damaged, cut short or says that the server failed.
policy::srv_answer parse_srv_answer(std::span<const unsigned char> message);

/// Where to ask: at most three IPv4 addresses; none: those of /etc/resolv.conf.
using name_servers = std::vector<boost::asio::ip::udp::endpoint>;

/// Asks for the SRV records of exactly that name. Blocks: each server gets two tries of about a second. Uses nothing that is
/// shared with anybody; any thread.
policy::srv_answer look_up_srv(const std::string& name, const name_servers& servers);

}  // namespace dynconf::transport
