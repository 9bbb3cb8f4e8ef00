//! rke
