#include "etcd/watch_sink.hpp"

#include "wire/classify.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::etcd {

void watch_sink::on_head(unsigned status) { status_ = status; }

bool watch_sink::on_body(std::string_view piece) {
    if (failure_) return false;
    if (status_ != 200) {
        refusal_.append(piece.substr(0, std::min(piece.size(), most_refusal - refusal_.size())));
        return true;
    }
    while (!piece.empty()) {
        const wire::frame_splitter::piece part = splitter_.next(piece);
        if (splitter_.overflow()) {
            failure_ = error{errc::response_too_large, "one message of the watch"};
            return false;
        }
        if (!part.bytes.empty()) decoder_.write(part.bytes);   // a refusal shows in finish()
        if (part.ends_frame && !end_of_frame()) return false;
    }
    return true;
}

bool watch_sink::end_of_frame() {
    ++ended_;
    auto message = decoder_.finish();
    if (message) {
        messages_.push_back(std::move(*message));
        return true;
    }
    failure_ = message.error();
    return false;
}

void watch_sink::on_end() {
    if (failure_) return;
    if (status_ != 200)
        failure_ = wire::classify(status_, refusal_);
    else if (splitter_.at_boundary() || end_of_frame())
        failure_ = error{errc::watch_ended, "the server ended the stream"};
}

std::optional<wire::watch_response> watch_sink::pop() {
    if (messages_.empty()) return std::nullopt;
    std::optional<wire::watch_response> first(std::move(messages_.front()));
    messages_.pop_front();
    return first;
}

}  // namespace dynconf::etcd
