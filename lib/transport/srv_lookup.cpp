#include "transport/srv_lookup.hpp"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace dynconf::transport {

namespace {

constexpr std::size_t header_size = 12;
constexpr std::size_t before_target = 6;   // priority, weight, port
/// How long to wait for a server before the next one is asked. The library's own 5 s are longer than callers wait at all.
constexpr int tries = 2, seconds_for_a_try = 1;

error failed(std::string words) { return {errc::discovery_failed, std::move(words)}; }

error refused(int rcode) {
    switch (rcode) {
        case ns_r_formerr: return failed("the name server does not understand the query (FORMERR)");
        case ns_r_servfail: return failed("the name server failed (SERVFAIL)");
        case ns_r_notimpl: return failed("the name server does not do that (NOTIMP)");
        case ns_r_refused: return failed("the name server refused (REFUSED)");
        default: return failed("the name server answered with code " + std::to_string(rcode));
    }
}

bool is_answer(std::span<const unsigned char> message) { return message.size() >= header_size && (message[2] & 0x80) != 0; }
int rcode_of(std::span<const unsigned char> message) { return message[3] & 0x0f; }

std::uint16_t number_at(const unsigned char* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }

/// The resolver's own state: nothing of the process is touched.
class resolver {
public:
    explicit resolver(const name_servers& servers) : usable_(res_ninit(&state_) == 0) {
        state_.retrans = seconds_for_a_try;
        state_.retry = tries;
        if (servers.empty()) return;
        state_.nscount = static_cast<int>(std::min<std::size_t>(servers.size(), MAXNS));
        for (int i = 0; i < state_.nscount; ++i) {
            const auto& from = servers[static_cast<std::size_t>(i)];
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_port = htons(from.port());
            to.sin_addr.s_addr = htonl(from.address().to_v4().to_uint());
            state_.nsaddr_list[i] = to;
        }
    }
    resolver(const resolver&) = delete;
    resolver& operator=(const resolver&) = delete;
    ~resolver() {
        if (usable_) res_nclose(&state_);
    }

    bool usable() const noexcept { return usable_; }
    int query(const std::string& name, std::span<unsigned char> answer) {
        return res_nquery(&state_, name.c_str(), ns_c_in, ns_t_srv, answer.data(), static_cast<int>(answer.size()));
    }
    int h_error() const noexcept { return state_.res_h_errno; }

private:
    struct __res_state state_{};
    bool usable_;
};

}  // namespace

policy::srv_answer parse_srv_answer(std::span<const unsigned char> message) {
    const auto damaged = [] { return failed("the name server's answer is damaged"); };
    if (!is_answer(message)) return damaged();
    if (rcode_of(message) == ns_r_nxdomain) return std::vector<policy::srv_record>();
    if (rcode_of(message) != ns_r_noerror) return refused(rcode_of(message));
    if ((message[2] & 0x02) != 0) return failed("the name server's answer was cut short");

    ns_msg all;
    if (ns_initparse(message.data(), static_cast<int>(message.size()), &all) != 0) return damaged();
    std::vector<policy::srv_record> found;
    for (int i = 0; i < ns_msg_count(all, ns_s_an); ++i) {
        ns_rr one;
        if (ns_parserr(&all, ns_s_an, i, &one) != 0) return damaged();
        if (ns_rr_type(one) != ns_t_srv || ns_rr_class(one) != ns_c_in) continue;
        if (ns_rr_rdlen(one) <= before_target) return damaged();
        const unsigned char* const data = ns_rr_rdata(one);
        std::array<char, NS_MAXDNAME> target{};
        const int length = dn_expand(ns_msg_base(all), ns_msg_end(all), data + before_target, target.data(),
                                     static_cast<int>(target.size()));
        if (length < 0 || static_cast<std::size_t>(length) + before_target != ns_rr_rdlen(one)) return damaged();
        found.push_back({number_at(data), number_at(data + 2), number_at(data + 4), target.data()});
    }
    return found;
}

policy::srv_answer look_up_srv(const std::string& name, const name_servers& servers) {
    resolver system(servers);
    if (!system.usable()) return failed("the system's resolver does not start");
    std::vector<unsigned char> answer(NS_MAXMSG);
    const int length = system.query(name, answer);
    if (length >= 0) return parse_srv_answer(std::span(answer).first(std::min(static_cast<std::size_t>(length), answer.size())));
    switch (system.h_error()) {
        case HOST_NOT_FOUND:
        case NO_DATA: return std::vector<policy::srv_record>();
        default: break;
    }
    // The library says no more than "try again"; what the last server said is in the buffer all the same.
    if (is_answer(answer) && rcode_of(answer) != ns_r_noerror) return refused(rcode_of(answer));
    return failed("no name server answers");
}

}  // namespace dynconf::transport
