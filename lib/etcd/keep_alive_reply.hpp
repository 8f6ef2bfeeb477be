#pragma once

#include "etcd/reply.hpp"
#include "wire/frame_splitter.hpp"
#include "wire/messages.hpp"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace dynconf::etcd {

/// Takes the answers to the keep-alives of one request: a line for each, in their order.
class keep_alive_reply final : public reply {
public:
    /// Those that came, also when others did not.
    std::vector<wire::lease_keep_alive_response> answers;

private:
    static constexpr std::size_t most_per_line = 64 * 1024;

    void restart() override {
        answers.clear();
        failure_.reset();
        splitter_ = wire::frame_splitter(most_per_line);
        decoder_ = wire::decoder<wire::lease_keep_alive_response>(wire::decoder<wire::lease_keep_alive_response>::envelope::result);
    }

    bool write(std::string_view piece) override {
        while (!piece.empty() && !failure_) {
            const wire::frame_splitter::piece part = splitter_.next(piece);
            if (splitter_.overflow()) failure_ = error{errc::malformed_response, "keep_alive: a line without an end"};
            else if (!part.bytes.empty()) decoder_.write(part.bytes);   // a refusal shows in finish()
            if (part.ends_frame && !failure_) end_of_line();
        }
        return !failure_;
    }

    result<void> take() override {
        if (!failure_ && !splitter_.at_boundary()) end_of_line();   // an error is said without a newline
        if (failure_) return *failure_;
        return {};
    }

    void end_of_line() {
        auto answer = decoder_.finish();
        if (!answer) failure_ = answer.error();
        else if ((answers.size() + 1) * sizeof(*answer) > most()) failure_ = error{errc::response_too_large, "keep_alive"};
        else answers.push_back(std::move(*answer));
    }

    wire::frame_splitter splitter_{most_per_line};
    wire::decoder<wire::lease_keep_alive_response> decoder_{wire::decoder<wire::lease_keep_alive_response>::envelope::result};
    std::optional<error> failure_;
};

}  // namespace dynconf::etcd
