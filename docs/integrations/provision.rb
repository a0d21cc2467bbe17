# A Homebrew formula for a tap of your own. Replace the address, the version and the digest by those of the file that you built
# (docs/releases.md); `provision.pyz` is built for one system and one Python, so build it with the Python that is named here.
class Provision < Formula
  desc "Roll the Hermes agent out to many machines on the AIsa model gateway"
  homepage "https://downloads.example.com/provision"
  url "https://downloads.example.com/provision/0.2.0/provision.pyz"
  version "0.2.0"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "MIT"

  depends_on :macos
  depends_on "python@3.13"

  def install
    libexec.install "provision.pyz"
    (bin/"provision").write <<~SH
      #!/bin/sh
      exec "#{Formula["python@3.13"].opt_bin}/python3.13" -I "#{libexec}/provision.pyz" "$@"
    SH
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/provision --version")
  end
end
