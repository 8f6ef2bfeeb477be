#pragma once

#include <dynconf/error.hpp>

#include "transport/http_session.hpp"
#include "wire/decoder.hpp"
#include "wire/frame_splitter.hpp"
#include "wire/messages.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace dynconf::etcd {

/// Turns the answer of a watch request, cut anywhere, into its messages.
class watch_sink final : public transport::response_sink {
public:
    explicit watch_sink(std::size_t max_message)
        : splitter_(max_message), decoder_(wire::decoder<wire::watch_response>::envelope::result, max_message) {}

    void on_head(unsigned status) override;
    bool on_body(std::string_view piece) override;
    /// The body is complete: its last line may lack the newline.
    void on_end();

    std::optional<wire::watch_response> pop();
    /// Messages and lines that have ended so far, and the bytes of the one that has not.
    std::size_t ended() const noexcept { return ended_; }
    std::size_t unfinished() const noexcept { return splitter_.size(); }
    /// Why no further message will come, once those that came before are taken.
    const std::optional<error>& failure() const noexcept { return failure_; }

private:
    bool end_of_frame();

    static constexpr std::size_t most_refusal = 64 * 1024;

    unsigned status_ = 0;
    std::string refusal_;
    wire::frame_splitter splitter_;
    wire::decoder<wire::watch_response> decoder_;
    std::size_t ended_ = 0;
    std::deque<wire::watch_response> messages_;
    std::optional<error> failure_;
};

}  // namespace dynconf::etcd
