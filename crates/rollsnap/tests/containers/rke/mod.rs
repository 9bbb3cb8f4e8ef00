//! A node of RKE's: containers with its names, mounts and command lines, from the image that takes
//! the place of rke-tools.

mod argv;
mod bucket;
mod image;
mod node;
mod recovery;
mod releases;
