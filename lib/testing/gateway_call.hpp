#pragma once

#include "testing/gateway.hpp"
#include "testing/json_in.hpp"
#include "testing/refusal.hpp"

#include <chrono>

namespace dynconf::testing {

/// One request on its way through the gateway.
struct gateway::call {
    const request& r;
    const json_in& in;       ///< Its first message.
    std::string_view rest;   ///< What the body holds behind it.
    time_point now;
    json_out out;
    std::optional<identity> who = {};
    std::vector<std::string> lines = {};   ///< Of a stream that ends by itself.
};

/// A refusal that comes after a while: etcd waited in vain.
class late_refusal : public refusal {
public:
    late_refusal(refusal why, std::chrono::milliseconds delay) : refusal(std::move(why)), delay_(delay) {}
    std::chrono::milliseconds delay() const noexcept { return delay_; }

private:
    std::chrono::milliseconds delay_;
};

/// There is no answer.
struct no_answer {};

}  // namespace dynconf::testing
