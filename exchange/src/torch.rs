//! torch.
